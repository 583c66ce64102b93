use nightbeat_store::StoreError;
use nightbeat_store::control::maintenance::{self, Window};
use uuid::Uuid;

use crate::world::{ALICE, Engine, MALLORY, World, at, first_page, next_page, on_each_engine};

on_each_engine!(
    windows_are_listed_and_deleted_in_their_project_only,
    a_window_is_open_from_its_first_instant_until_it_is_over,
);

fn window(number: u128, from: i64, to: i64) -> Window {
    Window {
        id: Uuid::from_u128(number),
        from: at(from),
        to: at(to),
        note: format!("window {number}"),
        created_at: at(1),
    }
}

fn windows_are_listed_and_deleted_in_their_project_only(engine: Engine) {
    let world = World::new(engine);
    let mut sql = world.sql();
    let windows = [window(1, 10, 20), window(2, 5, 30), window(3, 15, 25)];
    for window in &windows {
        maintenance::insert(&mut sql, ALICE, window).unwrap();
    }
    let again = maintenance::insert(&mut sql, MALLORY, &windows[0]);
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");

    let page = maintenance::list(&mut sql, ALICE, &first_page(2)).unwrap();
    assert_eq!(page.items, [windows[1].clone(), windows[2].clone()]);
    let page = maintenance::list(&mut sql, ALICE, &next_page(2, page.next)).unwrap();
    assert_eq!((page.items, page.next), (vec![windows[0].clone()], None));
    assert!(
        maintenance::list(&mut sql, MALLORY, &first_page(9))
            .unwrap()
            .items
            .is_empty()
    );

    assert!(!maintenance::delete(&mut sql, MALLORY, windows[0].id).unwrap());
    assert!(maintenance::delete(&mut sql, ALICE, windows[0].id).unwrap());
    assert!(!maintenance::delete(&mut sql, ALICE, windows[0].id).unwrap());
}

fn a_window_is_open_from_its_first_instant_until_it_is_over(engine: Engine) {
    let world = World::new(engine);
    let mut sql = world.sql();
    maintenance::insert(&mut sql, ALICE, &window(1, 10, 20)).unwrap();
    maintenance::insert(&mut sql, ALICE, &window(2, 15, 25)).unwrap();
    for (second, open) in [
        (9, &[][..]),
        (10, &[1][..]),
        (15, &[2, 1][..]),
        (20, &[2][..]),
        (25, &[][..]),
    ] {
        let windows = maintenance::active(&mut sql, ALICE, at(second)).unwrap();
        let ids: Vec<_> = windows.iter().map(|window| window.id.as_u128()).collect();
        assert_eq!(ids, open, "at {second}");
        assert!(
            maintenance::active(&mut sql, MALLORY, at(second))
                .unwrap()
                .is_empty()
        );
    }
}
