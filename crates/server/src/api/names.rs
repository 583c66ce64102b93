//! Names that are typed wrong: which are known, and which is nearest.

use serde::de::value::Error as Refused;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};

/// How alike two names must be to be taken for a typing error (Jaro-Winkler, 1 is equal).
const ALIKE: f64 = 0.75;

/// The names of the fields of a struct, as its own `Deserialize` tells them.
pub(super) fn fields_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // It always fails: nothing is given to it.
    drop(T::deserialize(Probe(&mut names)));
    names
}

/// What to say of a name that is not known: "did you mean …", or all that there is.
pub(super) fn unknown(typed: &str, known: &[&str]) -> String {
    let alike = |name: &&&str| (strsim::jaro_winkler(typed, name) * 1e6) as u64;
    match known.iter().max_by_key(alike) {
        Some(name) if strsim::jaro_winkler(typed, name) >= ALIKE => {
            format!("is not known here; did you mean {name:?}?")
        }
        Some(_) => format!("is not known here; there is {}", known.join(", ")),
        None => "is not known here; there is none to give".to_owned(),
    }
}

/// Asks a type which fields it has.
struct Probe<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Refused;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Refused> {
        *self.0 = fields;
        Err(Refused::custom("only asked"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Refused> {
        Err(Refused::custom("not a struct"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[expect(dead_code, reason = "only its names matter")]
    struct Small {
        grace: u32,
        #[serde(rename = "type")]
        kind: u32,
    }

    #[test]
    fn a_struct_tells_its_fields() {
        assert_eq!(fields_of::<Small>(), ["grace", "type"]);
        assert_eq!(fields_of::<u32>(), [""; 0]);
    }

    #[test]
    fn the_nearest_name_is_offered() {
        let known = ["grace", "name"];
        assert_eq!(
            unknown("grase", &known),
            "is not known here; did you mean \"grace\"?"
        );
        assert_eq!(
            unknown("xyz", &known),
            "is not known here; there is grace, name"
        );
    }
}
