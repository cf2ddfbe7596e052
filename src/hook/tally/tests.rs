use std::fs;

use super::*;
use crate::entry::denials::Class;
use crate::ledger::fixture::Server;
use crate::name::ActorId;

/// So many seconds after a full minute.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_000_020_000 + seconds * 1000).unwrap()
}

fn stranger() -> Source {
    Source::Class(Class::Unknown)
}

fn server() -> Server {
    Server::begin(at(0), "", "")
}

impl Server {
    /// One denial: whether it would have a leaf. What is due is appended.
    fn deny(&self, source: &Source, time: Timestamp) -> bool {
        let log = self.log();
        let mut tally = Tally::open(&self.place, &log);
        let due = tally.due(log.size(), time).unwrap();
        let has_room = tally.has_room(source);
        if has_room {
            tally.record(source.clone());
        } else {
            tally.count(source.clone(), time);
        }
        self.append(due);
        tally.save().unwrap();
        has_room
    }

    /// The counts in the ledger.
    fn counts(&self) -> Vec<(Source, u64, Timestamp, Timestamp)> {
        let log = self.log();
        let leaves = (0..log.size()).map(|entry| log.leaf(entry).unwrap());
        let counted = leaves.filter_map(|leaf| if let Leaf::Denials(denials) = leaf { Some(denials) } else { None });
        counted.map(|of| (of.source, of.count, of.first, of.last)).collect()
    }
}

#[test]
fn a_minute_has_so_many_leaves_of_each_source_and_counts_the_rest() {
    let server = server();
    let alice = Source::Actor(ActorId::parse("alice").unwrap());
    let leaves = |source: &Source| (0..30).filter(|n| server.deny(source, at(*n))).count();
    assert_eq!((leaves(&stranger()), leaves(&alice)), (1, 10));
    assert_eq!(server.counts(), []);
    assert!(server.deny(&Source::Class(Class::Refused), at(60)));
    let mut counts = server.counts();
    counts.sort();
    assert_eq!(counts, [(alice.clone(), 20, at(10), at(29)), (stranger(), 29, at(1), at(29))]);
    assert!(server.deny(&alice, at(61)));
    assert!(server.deny(&stranger(), at(62)));
    // Nothing was counted in that minute, so nothing is due.
    assert!(server.deny(&stranger(), at(600)));
    assert_eq!(server.counts().len(), 2);
}

#[test]
fn an_append_settles_what_is_due_and_leaves_no_file() {
    let server = server();
    (0..5).for_each(|n| _ = server.deny(&stranger(), at(n)));
    let log = server.log();
    let mut tally = Tally::open(&server.place, &log);
    server.append(tally.due(log.size(), at(3600)).unwrap());
    tally.save().unwrap();
    assert_eq!(server.counts(), [(stranger(), 4, at(1), at(4))]);
    assert!(!server.place.file(FILE).exists());
}

#[test]
fn a_crash_right_before_or_after_the_append_counts_neither_twice_nor_not_at_all() {
    let server = server();
    (0..5).for_each(|n| _ = server.deny(&stranger(), at(n)));
    let die_after = |append: bool| {
        let log = server.log();
        let due = Tally::open(&server.place, &log).due(log.size(), at(61)).unwrap();
        if append {
            server.append(due);
        }
    };
    die_after(false);
    assert_eq!(server.counts(), []);
    die_after(true);
    assert_eq!(server.counts().len(), 1);
    assert!(server.deny(&stranger(), at(61)));
    assert_eq!(server.counts(), [(stranger(), 4, at(1), at(4))]);
}

#[test]
fn a_file_that_cannot_be_is_none() {
    let server = server();
    (0..3).for_each(|n| _ = server.deny(&stranger(), at(n)));
    let whole = fs::read_to_string(server.place.file(FILE)).unwrap();
    for damaged in [
        String::new(),
        "{}".to_owned(),
        whole.chars().take(whole.len() / 2).collect(),
        whole.replace("\"count\":2", "\"count\":-2"),
        whole.replace("\"count\":2", "\"count\":0"),
        whole.replace("\"count\":2", "\"count\":1000000000000000"),
        whole.replace("\"first\":\"2026", "\"first\":\"2025"),
        whole.replace("\"last\":\"2026", "\"last\":\"2027"),
        whole.replacen(
            "\"sources\":[",
            "\"sources\":[{\"count\":0,\"first\":null,\"last\":null,\"leaves\":1,\"source\":{\"class\":\"unknown\"}},",
            1,
        ),
        format!("{whole}{}", " ".repeat(FILE_BYTES_MAX)),
    ] {
        fs::write(server.place.file(FILE), &damaged).unwrap();
        assert!(server.deny(&stranger(), at(5)), "{damaged:.80}");
    }
    // What would be no leaf is not recorded.
    for damaged in [
        whole.replace("\"count\":2", "\"count\":1000000000000000"),
        whole.replace("\"count\":2", "\"count\":0"),
        whole.replace("\"minute\":", "\"minute\":9"),
    ] {
        fs::write(server.place.file(FILE), &damaged).unwrap();
        assert!(server.deny(&stranger(), at(if damaged.contains("\"minute\":9") { 10 } else { 120 })));
        assert_eq!(server.counts(), [], "{damaged}");
    }
}
