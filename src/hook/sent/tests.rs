use super::*;

fn oid(byte: u8) -> Oid {
    Oid::from_bytes([byte; 20])
}

fn name(text: &str) -> RefName {
    RefName::parse(text).unwrap()
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000).unwrap()
}

fn note_of(seconds: i64, updates: usize, taken: bool) -> Note {
    let update = |number: usize| Update {
        new: Some(oid(1)),
        old: None,
        refname: name(&format!("refs/heads/{number}")),
        taken,
        tracking: None,
    };
    Note {
        remote: "origin".to_owned(),
        scanned: 1,
        size: 1,
        time: time(seconds),
        updates: (0..updates).map(update).collect(),
    }
}

fn receipt(index: u64) -> Receipt {
    Receipt { hash: Digest::from_bytes([1; 32]), index, new: None, refname: name("refs/heads/main"), time: time(1) }
}

fn place() -> (tempfile::TempDir, Place) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::in_repository(folder.path());
    place.create().unwrap();
    (folder, place)
}

#[test]
fn unreadable_lines_stay_as_they_are() {
    let receipt = Sent { receipts: vec![receipt(8)], ..Sent::default() }.to_text().unwrap();
    let padded = format!("{}{}!\n", receipt.trim_end(), " ".repeat(UNREADABLE_CHARS_MAX));
    for (text, count) in [("\r", 1), ("x\r\r\n", 1), ("a\rb\n\r\n", 2), ("\n\n", 0), (&padded, 1)] {
        let sent = Sent::parse(text);
        assert_eq!((sent.unreadable.len(), sent.receipts.len()), (count, 0), "{text:?}");
        // Also where the line had to be cut, it does not become a receipt.
        assert_eq!(Sent::parse(&sent.to_text().unwrap()), sent, "{text:?}");
    }
    assert_eq!(Sent::parse(&receipt.replace('\n', "\r\n")).receipts.len(), 1, "an editor's line ends do no harm");
}

#[test]
fn what_is_written_is_read_again() {
    let (_folder, place) = place();
    let tracking = Tracking { name: name("refs/remotes/origin/0"), pushes: 3, stood: true };
    let mut note = note_of(5, 2, true);
    note.updates[0].tracking = Some(tracking);
    let refusal = Refusal {
        index: 9,
        new: Some(oid(3)),
        reason: "not-granted".to_owned(),
        refname: name("refs/heads/prod"),
        time: time(2),
    };
    let sent = Sent {
        notes: vec![note],
        receipts: vec![receipt(8)],
        refusals: vec![refusal],
        unreadable: vec!["what?".to_owned()],
    };
    change(&place, |there| {
        *there = sent.clone();
        Ok(())
    })
    .unwrap();
    assert_eq!(read(&place).unwrap(), sent);
    let kept = std::fs::read_to_string(place.file(FILE)).unwrap();
    assert!(kept.starts_with(r#"{"kind":"note","remote":"origin","scanned":1,"size":1,"time":"1970-"#), "{kept}");
    forget(&place).unwrap();
    assert_eq!(read(&place).unwrap(), Sent::default());
}

#[test]
fn rubbish_is_kept_within_limits_and_never_fatal() {
    let (_folder, place) = place();
    let long = "x".repeat(1 << 20);
    let text = format!("{long}\n\n{{\"kind\":\"note\"}}\n{{\"kind\":\"other\"}}\n[]\n\u{1b}[2J\n{}", "no\n".repeat(99));
    std::fs::write(place.file(FILE), [text.as_bytes(), b"\xff\xfe\n"].concat()).unwrap();
    let sent = read(&place).unwrap();
    assert_eq!(sent.unreadable.len(), UNREADABLE_MAX);
    assert!(sent.unreadable.iter().all(|line| line.chars().count() <= UNREADABLE_CHARS_MAX));
    std::fs::File::create(place.file(FILE)).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(read(&place).unwrap().unreadable[0].contains("more than"));
    std::fs::remove_file(place.file(FILE)).unwrap();
    std::fs::create_dir(place.file(FILE)).unwrap();
    assert!(matches!(read(&place), Err(SentError::Place(_))));
}

#[test]
fn a_thousand_pushes_do_not_grow_it_without_end() {
    let mut sent = Sent { notes: vec![note_of(0, 2, true)], ..Sent::default() };
    sent.notes.extend((1..3000).map(|at| note_of(at, 1, false)));
    sent.receipts = (0..3000).map(receipt).collect();
    sent.bound();
    assert_eq!((sent.notes.len(), sent.receipts.len()), (WAITING_MAX - 1, RECEIPTS_MAX));
    assert!(sent.notes[0].is_taken(), "what the ledger hides is not forgotten for what merely waits");
    assert_eq!(sent.notes.last().unwrap().time, time(2999));
    assert_eq!(sent.receipts.last().unwrap().index, 2999);
    sent.notes = (0..10).map(|at| note_of(at, UPDATES_MAX, true)).collect();
    sent.notes.push(note_of(11, UPDATES_MAX + 1, true));
    sent.bound();
    assert_eq!(sent.notes.len(), WAITING_MAX / UPDATES_MAX);
    // The longest names and all that can be noted fit into what is read.
    let long = |end: &str| name(&format!("refs/heads/{}{end}", "é".repeat(110)));
    for note in &mut sent.notes {
        for update in &mut note.updates {
            update.refname = long("");
            update.tracking = Some(Tracking { name: long("x"), pushes: u64::MAX, stood: true });
        }
    }
    sent.receipts.iter_mut().for_each(|receipt| receipt.refname = long(""));
    assert!((sent.to_text().unwrap().len() as u64) < FILE_BYTES_MAX / 2);
}

#[test]
fn of_two_writers_none_loses_a_note() {
    let (_folder, place) = place();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let place = &place;
            scope.spawn(move || {
                for at in 0..8 {
                    let note = note_of(worker * 100 + at, 1, false);
                    change(place, |sent| {
                        sent.notes.push(note);
                        Ok(())
                    })
                    .unwrap();
                }
            });
        }
    });
    assert_eq!(read(&place).unwrap().notes.len(), 32);
}

#[test]
fn secrets_in_an_address_are_not_kept() {
    for (given, kept) in [
        ("origin", "origin"),
        ("https://alice:token@git.bank.example/models", "https://git.bank.example/models"),
        ("https://git.bank.example/a@b", "https://git.bank.example/a@b"),
        ("ssh://git@host", "ssh://host"),
        ("git@host:models", "git@host:models"),
        ("../a", "../a"),
        ("://", "://"),
    ] {
        assert_eq!(without_secrets(given), kept);
    }
}
