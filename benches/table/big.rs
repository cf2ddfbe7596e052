//! Pushes that are big, pushes that are many, and a gate before much history.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::gate::hook_times;
use super::measure::{Pairs, Table, ms, s, time};
use super::world::World;
use super::{Size, folder, ledger};

/// Clients that push at the same moment.
const CLIENTS: usize = 24;

/// What the repository with much history holds.
const COMMITS: usize = 100_000;
const REFS: usize = 10_000;

/// Pushes of many commits, files and refs.
pub fn pushes(table: &mut Table, size: Size) {
    let full = size == Size::Full;
    let world = World::new(&folder("big"));
    one_push(table, &world, "1,000 commits", if full { 9 } else { 5 }, "target 150 ms more", |world, round| {
        vec![format!("{}:refs/heads/dev/thousand-{round}", world.import(&format!("thousand-{round}"), None, 1_000))]
    });
    one_push(table, &world, "one commit of 10,000 files", 3, "it must work", |world, round| {
        vec![format!("{}:refs/heads/dev/files-{round}", world.import_files(&format!("files-{round}"), 10_000))]
    });
    if full {
        one_push(table, &world, "10,000 commits", 1, "it must work", |world, round| {
            vec![format!("{}:refs/heads/dev/import-{round}", world.import(&format!("import-{round}"), None, 10_000))]
        });
        one_push(table, &world, "1,000 new refs", 1, "it must work", |world, round| {
            let tip = world.import(&format!("refs-{round}"), None, 1);
            (0..1_000).map(|number| format!("{tip}:refs/heads/dev/{round}/{number}-{}", "x".repeat(160))).collect()
        });
    }
}

/// One push to the server with the gate and to the one without. `make` makes its refspecs anew for each round.
fn one_push(
    table: &mut Table,
    world: &World,
    what: &str,
    rounds: usize,
    target: &str,
    mut make: impl FnMut(&World, usize) -> Vec<String>,
) {
    // The unmeasured round is the first.
    let made: Vec<Vec<String>> = (0..=rounds).map(|round| make(world, round)).collect();
    let (mut gate, mut free) = (made.iter(), made.iter());
    let pairs = Pairs::run(
        rounds,
        || time(&mut world.push_all("origin", gate.next().unwrap())),
        || time(&mut world.push_all("free", free.next().unwrap())),
    );
    table.row(
        &format!("`git push` of {what} through the gate"),
        format!("{} ({:.0} ms more)", ms(pairs.ours()), pairs.more_ms()),
        format!("{}: the same with `exit 0` as hooks; {target}", ms(pairs.other())),
    );
}

/// Two dozen clients, each with a commit for a branch of its own, all at the same moment.
pub fn crowd(table: &mut Table, size: Size) {
    let rounds = if size == Size::Full { 9 } else { 5 };
    let world = World::new(&folder("crowd"));
    let tips: Vec<Vec<String>> = (0..=rounds)
        .map(|round| (0..CLIENTS).map(|client| world.import(&format!("{round}-{client}"), None, 1)).collect())
        .collect();
    let run = |remote: &str, round: usize| {
        let begin = Instant::now();
        let pushes: Vec<Child> = (0..CLIENTS)
            .map(|client| {
                let refspec = format!("{}:refs/heads/dev/at-once/{client}", tips[round][client]);
                let mut push = world.push_all(remote, &[format!("+{refspec}")]);
                push.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut push in pushes {
            assert!(push.wait().unwrap().success());
        }
        begin.elapsed()
    };
    let (mut gate, mut free) = (0..=rounds, 0..=rounds);
    let pairs = Pairs::run(rounds, || run("origin", gate.next().unwrap()), || run("free", free.next().unwrap()));
    let rate = |time: Duration| CLIENTS as f64 / time.as_secs_f64();
    table.row(
        &format!("{CLIENTS} clients pushing at once through the gate"),
        format!("{:.0} pushes a second ({:.2} × the time)", rate(pairs.ours()), pairs.ratio()),
        format!("{:.0} a second with `exit 0` as hooks", rate(pairs.other())),
    );
}

/// The gate alone, from start to end of its hook, before much history and before none.
pub fn history(table: &mut Table, size: Size) {
    let rounds = if size == Size::Full { 40 } else { 15 };
    let world = World::new(&folder("history"));
    let begin = Instant::now();
    world.add_server("much", much_history);
    eprintln!("  (history made in {})", s(begin.elapsed()));
    world.add_server("little", |_, _| {});
    let tips = world.import_steps("history", rounds + 1);
    let mut row = |what: &str, target: &str, refspec: &dyn Fn(usize) -> String| {
        let hook = |remote: &str, round: usize| hook_times(&world, world.push_all(remote, &[refspec(round)])).0;
        let (mut much, mut little) = (0..=rounds, 0..=rounds);
        let pairs =
            Pairs::run(rounds, || hook("much", much.next().unwrap()), || hook("little", little.next().unwrap()));
        table.row(
            &format!("pre-receive of {what} in a repository of {COMMITS} commits and {REFS} refs"),
            format!("{} ({:.2} ×)", ms(pairs.ours()), pairs.ratio()),
            format!("{}: in an empty one; {target}", ms(pairs.other())),
        );
    };
    row("one commit", "target 2 ×", &|round| format!("{}:refs/heads/dev/work", tips[round]));
    row("a new branch", "target 2 ×", &|round| format!("{}:refs/heads/dev/new-{round}", tips[rounds]));
    row("a deleted branch", "target 2 ×", &|round| format!(":refs/heads/dev/new-{round}"));
}

/// A straight history with refs all along it, as Git's stream for `fast-import`.
fn much_history(world: &World, dir: &Path) {
    let mut stream = String::new();
    for number in 1..=COMMITS {
        write!(
            stream,
            "commit refs/heads/main\nmark :{number}\ncommitter A <a@bank.example> {} +0000\ndata 0\n\
             M 100644 inline models/{}\ndata {}\n{number}\n",
            1_700_000_000 + number,
            number % 10,
            number.to_string().len()
        )
        .unwrap();
    }
    for number in 1..REFS {
        write!(stream, "reset refs/heads/old/{number}\nfrom :{}\n\n", number * (COMMITS / REFS)).unwrap();
    }
    world.pipe(dir, &["fast-import", "--quiet"], stream.as_bytes());
    world.ok(dir, "git", &["pack-refs", "--all"]);
}

/// The gate alone, before a long ledger and before one that has just begun.
pub fn entries(table: &mut Table, size: Size) {
    let (entries, rounds) = if size == Size::Full { (1_000_000, 40) } else { (100_000, 15) };
    let world = World::new(&folder("entries"));
    for (remote, entries) in [("long", entries), ("short", 1)] {
        let (made, _) = ledger::ledger(entries);
        let dir = world.path(&format!("{remote}.git"));
        world.ok(&world.path("."), "cp", &["-r", made.to_str().unwrap(), dir.to_str().unwrap()]);
        world.ok(&world.clone_dir(), "git", &["remote", "add", remote, dir.to_str().unwrap()]);
    }
    world.sign_with(&ledger::actor_key());
    let tips = world.import_steps("entries", rounds + 1);
    let hook = |remote: &str, tip: &String| {
        hook_times(&world, world.push_all(remote, &[format!("{tip}:refs/heads/dev/work")])).0
    };
    let (mut long, mut short) = (tips.iter(), tips.iter());
    let pairs = Pairs::run(rounds, || hook("long", long.next().unwrap()), || hook("short", short.next().unwrap()));
    table.row(
        &format!("pre-receive of one commit with {entries} entries in the ledger"),
        format!("{} ({:.2} ×)", ms(pairs.ours()), pairs.ratio()),
        format!("{}: with one; target 1.3 ×", ms(pairs.other())),
    );
}
