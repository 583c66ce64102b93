use nightbeat_store::StoreError;
use nightbeat_store::control::status_pages::{self, STATUS_PAGES_MAX, StatusPage};
use uuid::Uuid;

use crate::world::{ALICE, Engine, MALLORY, World, at, on_each_engine};

on_each_engine!(
    a_status_page_is_found_by_everybody_and_managed_by_its_project,
    an_address_is_taken_once_on_a_server,
    a_project_has_so_many_and_no_more,
);

fn page(number: u32, path: &str) -> StatusPage {
    StatusPage {
        id: Uuid::from_u128(u128::from(number)),
        path: path.to_owned(),
        tag: "web".to_owned(),
        title: "Our services".to_owned(),
        created_at: at(i64::from(number)),
    }
}

fn a_status_page_is_found_by_everybody_and_managed_by_its_project(engine: Engine) {
    let world = World::new(engine);
    let mut sql = world.sql();
    let [second, first] = [page(2, "ours"), page(1, "x7")];
    for one in [&second, &first] {
        status_pages::insert(&mut sql, ALICE, one).unwrap();
    }
    let by_path = |path| status_pages::by_path(&mut world.sql(), path).unwrap();
    assert_eq!(by_path("ours"), Some((ALICE, second.clone())));
    assert_eq!(by_path("Ours"), None);
    assert_eq!(by_path("our"), None);
    let all = status_pages::list(&mut sql, ALICE).unwrap();
    assert_eq!(all, [first, second.clone()]);
    assert!(status_pages::list(&mut sql, MALLORY).unwrap().is_empty());
    let get = |project| status_pages::get(&mut world.sql(), project, second.id).unwrap();
    assert_eq!((get(ALICE), get(MALLORY)), (Some(second.clone()), None));

    let changed = StatusPage {
        path: "theirs".to_owned(),
        tag: String::new(),
        title: "All of it".to_owned(),
        ..second.clone()
    };
    assert!(!status_pages::update(&mut sql, MALLORY, &changed).unwrap());
    assert_eq!(by_path("ours"), Some((ALICE, second.clone())));
    assert!(status_pages::update(&mut sql, ALICE, &changed).unwrap());
    assert_eq!(
        (by_path("ours"), by_path("theirs")),
        (None, Some((ALICE, changed)))
    );

    assert!(!status_pages::delete(&mut sql, MALLORY, second.id).unwrap());
    assert!(status_pages::delete(&mut sql, ALICE, second.id).unwrap());
    assert_eq!(by_path("theirs"), None);
}

fn an_address_is_taken_once_on_a_server(engine: Engine) {
    let world = World::new(engine);
    status_pages::insert(&mut world.sql(), ALICE, &page(1, "ours")).unwrap();
    status_pages::insert(&mut world.sql(), MALLORY, &page(2, "theirs")).unwrap();
    let again = status_pages::insert(&mut world.sql(), MALLORY, &page(3, "ours"));
    let moved = status_pages::update(&mut world.sql(), MALLORY, &page(2, "ours")).map(drop);
    for refused in [again, moved] {
        let refused = refused.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Conflict(text) if text.contains("taken")),
            "{refused}"
        );
    }
}

fn a_project_has_so_many_and_no_more(engine: Engine) {
    let world = World::new(engine);
    let mut sql = world.sql();
    for number in 1..=STATUS_PAGES_MAX as u32 {
        let one = page(number, &format!("p{number}"));
        status_pages::insert(&mut sql, ALICE, &one).unwrap();
    }
    let more = status_pages::insert(&mut sql, ALICE, &page(999, "more"));
    assert!(matches!(more, Err(StoreError::Conflict(_))), "{more:?}");
    status_pages::insert(&mut sql, MALLORY, &page(999, "more")).unwrap();
}
