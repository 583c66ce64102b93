//! `docs/backup-with-*.md`: what stands there is taken out and run, with real tools, against a real server. Each page
//! has a good night both ways and under systemd's rules, and lives through all that it promises to catch.
#![expect(clippy::unwrap_used, reason = "what goes wrong here fails the test")]

mod house;
mod page;
mod troubles;

use nightbeat_testkit::is_root;

use house::{House, Town};
use page::{Page, Row, Way};
use troubles::{TROUBLES, Trouble};

#[tokio::test(flavor = "multi_thread")]
async fn restic() {
    holds("restic", "restic init", &["mnt/nas=30m"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn borg() {
    holds("borg", "borg init --encryption=repokey", &["mnt/nas=2g"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rsync() {
    holds("rsync", "true", &["mnt/nas=30m"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone() {
    holds("rclone", "true", &["mnt/remote=30m"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pg_dump() {
    holds("pg_dump", "true", &["srv/backup=30m"]).await;
}

/// Lives a page. `made` is what its reader did long ago; `mounts` the disks of its own that it has, with their sizes.
async fn holds(tool: &str, made: &str, mounts: &[&str]) {
    if !is_root() {
        return;
    }
    let page = Page::of(tool);
    let town = Town::start().await;
    let mut wrong = Vec::new();
    for way in [Way::Curl, Way::Wrapper, Way::Unit, Way::Restore] {
        let house = House::build(&town, &page, way, made, mounts);
        if let Err(what) = good_nights(&house, 1).await {
            wrong.push(format!("{way:?}: {what}"));
        }
    }
    for row in &page.rows {
        let trouble = Trouble::of(tool, row);
        for way in row.ways() {
            let house = House::build(&town, &page, way, made, mounts);
            if let Err(what) = caught(&house, row, trouble).await {
                wrong.push(format!("{way:?}, {}: {what}", row.happened));
            }
        }
    }
    let known = TROUBLES.iter().filter(|trouble| trouble.tool == tool);
    assert_eq!(known.count(), page.rows.len(), "each row once");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

async fn good_nights(house: &House<'_>, nights: usize) -> Result<(), String> {
    for _ in 0..nights {
        let night = house.night();
        let (status, text) = house.told().await;
        if status != "up" || night.code != 0 {
            return Err(format!(
                "the good night (exit {}) is {status}: {text}\n{}",
                night.code, night.output
            ));
        }
    }
    Ok(())
}

/// Lives a row of the table; what is not as it promises.
async fn caught(house: &House<'_>, row: &Row, trouble: &Trouble) -> Result<(), String> {
    good_nights(house, trouble.nights).await?;
    house.person(trouble.does);
    let night = house.night();
    let (status, text) = house.told().await;
    let mut wrong = Vec::new();
    if status != row.status() {
        wrong.push(format!("it is {status}, not {}", row.status()));
    }
    // With `--check-first` the tool does not even run.
    if house.way() != Way::Wrapper && !row.codes.contains(&night.code) {
        wrong.push(format!("it exits with {}, not {:?}", night.code, row.codes));
    }
    for words in row.says(house.way()) {
        let words = house.here(words);
        if !text.contains(&words) {
            wrong.push(format!("the alert does not say {words:?}"));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let wrong = wrong.join("; ");
    Err(format!("{wrong}: {text}\n{}", night.output))
}
