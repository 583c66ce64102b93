//! Numbers that look random, from one seed.

/// A generator (`SplitMix64`, Steele, Lea and Flood 2014). Each purpose has its own stream, so that taking
/// one heartbeat or one fault away changes nothing for the others.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The stream of `seed` for a purpose and its number.
    pub(crate) fn stream(seed: u64, purpose: &str, number: u64) -> Self {
        let mut state = mix(seed.wrapping_add(STEP));
        for byte in purpose.bytes() {
            state = mix(state ^ u64::from(byte)).wrapping_add(STEP);
        }
        Self(mix(state ^ mix(number.wrapping_add(STEP))))
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number from `low` to `high`, both inclusive.
    pub(crate) fn within(&mut self, low: i64, high: i64) -> i64 {
        let span = (high.max(low) - low) as u64 + 1;
        low + (self.next() % span) as i64
    }

    /// A number from 0 to below 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True in `share` of the cases.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.share() < share
    }

    /// One of these, each as likely.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[(self.next() % of.len() as u64) as usize]
    }

    /// A span between `low` and `high` whose logarithm is even: short ones are as likely as long ones.
    pub(crate) fn span(&mut self, low: i64, high: i64) -> i64 {
        let (low, high) = (low.max(1) as f64, high.max(1) as f64);
        (low * (high / low).powf(self.share())) as i64
    }

    /// An exponential pause with this mean.
    pub(crate) fn pause(&mut self, mean: i64) -> i64 {
        (-(1.0 - self.share()).ln() * mean as f64) as i64
    }

    /// A UUID.
    pub(crate) fn uuid(&mut self) -> uuid::Uuid {
        uuid::Uuid::from_u64_pair(self.next(), self.next())
    }
}
