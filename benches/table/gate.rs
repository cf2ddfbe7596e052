//! Pushes through the gate, and appends alone.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::measure::{Pairs, Table, median, ms, time};
use super::strace::{self, Disk};
use super::world::World;
use super::{Size, folder, ledger};

/// Pushes under strace.
const TRACED: usize = 40;

/// Pushes one signed commit through the gate, and the same commit past it.
pub fn pushes(table: &mut Table, size: Size) {
    let count = if size == Size::Full { 200 } else { 40 };
    let world = World::new(&folder("gate"));
    let commits: Vec<String> = (0..=2 * count + TRACED).map(|number| world.commit(number)).collect();
    let (mut to_gate, mut to_free) = (commits.iter(), commits.iter());
    let mut push_gate = |world: &World| world.push("origin", to_gate.next().unwrap());
    let mut push_free = |world: &World| world.push("free", to_free.next().unwrap());
    let pairs = Pairs::run(count, || time(&mut push_gate(&world)), || time(&mut push_free(&world)));
    let sync = sync_cost(&world.path("gate.git"));
    table.row(
        "`git push` of one signed commit through the gate",
        format!("{} ({:.2} ×)", ms(pairs.ours()), pairs.ratio()),
        format!("{}: the same with `exit 0` as pre-receive hook; target 1.5 ×", ms(pairs.other())),
    );
    table.row(
        "… what the gate and the `landed` entry add",
        format!("{:.1} ms", pairs.more_ms()),
        format!("its twelve fsyncs alone: {}", ms(2 * sync)),
    );
    let hooks: Vec<(Duration, Duration)> = (0..count).map(|_| hook_times(&world, push_gate(&world))).collect();
    let (pre, post): (Vec<_>, Vec<_>) = hooks.into_iter().unzip();
    let alone = format!("its six fsyncs alone: {}", ms(sync));
    table.row("… pre-receive, from start to end", ms(median(&pre)), format!("{alone}; target 10 ms and its fsyncs"));
    table.row("… post-receive, from start to end", ms(median(&post)), alone);
    let traced: Vec<Command> = (0..TRACED).map(|_| push_gate(&world)).collect();
    disk(table, &world, &traced);
    kept(table, &world, &commits[0], &commits[2 * count + TRACED]);
}

/// What the ledger's objects take in the packs that `git gc` makes, for pushes of one commit each from `first` to `last`.
fn kept(table: &mut Table, world: &World, first: &str, last: &str) {
    let gate = world.path("gate.git");
    world.ok(&gate, "git", &["gc", "-q"]);
    let number = |words: &[&str]| world.ok(&gate, "git", words).parse::<u64>().unwrap();
    let bytes = number(&["rev-list", "--objects", "--disk-usage", "refs/mledger/log"]);
    let pushes = 1 + number(&["rev-list", "--count", &format!("{first}..{last}")]);
    table.row(
        "… bytes kept after `git gc`",
        format!("{:.1} KB", bytes as f64 / pushes as f64 / 1e3),
        format!("the whole ledger's objects over {pushes} pushes; target 2.5 KB"),
    );
}

/// How long Git waited for the hooks of a push, by its own trace.
pub fn hook_times(world: &World, mut push: Command) -> (Duration, Duration) {
    let trace = world.path("trace2");
    let _ = fs::remove_file(&trace);
    time(push.env("GIT_TRACE2_EVENT", &trace));
    let events: Vec<serde_json::Value> =
        fs::read_to_string(&trace).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let took = |hook: &str| {
        let start = events.iter().find(|event| event["event"] == "child_start" && event["hook_name"] == hook).unwrap();
        let is_end = |event: &&serde_json::Value| {
            event["event"] == "child_exit" && event["sid"] == start["sid"] && event["child_id"] == start["child_id"]
        };
        Duration::from_secs_f64(events.iter().find(is_end).unwrap()["t_rel"].as_f64().unwrap())
    };
    (took("pre-receive"), took("post-receive"))
}

/// What the gate writes for a push, over so many that the index is tidied once or more.
fn disk(table: &mut Table, world: &World, pushes: &[Command]) {
    let of = |disks: &HashMap<String, Disk>, hook: &str| {
        let ours = disks.iter().filter(|(program, _)| program.contains("\"hook\"") && program.contains(hook));
        ours.fold(Disk::default(), |a, (_, b)| Disk { syncs: a.syncs + b.syncs, bytes: a.bytes + b.bytes })
    };
    let traces = pushes.iter().map(|push| strace::trace(push, &world.path("strace")));
    let Some(disks) = traces.collect::<Option<Vec<_>>>() else {
        return table.row(
            "… fsyncs and bytes written",
            "not measured".to_owned(),
            "strace is not installed".to_owned(),
        );
    };
    let (pre, post): (Vec<Disk>, Vec<Disk>) =
        disks.iter().map(|disks| (of(disks, "\"pre-receive\""), of(disks, "\"post-receive\""))).unzip();
    let counts: Vec<u64> = pre.iter().map(|disk| disk.syncs).collect();
    let most = counts.iter().max().copied().unwrap_or(0);
    let syncs = |disks: &[Disk]| disks.iter().map(|disk| disk.syncs).sum::<u64>() as f64 / disks.len() as f64;
    let kilobytes = |disks: &[Disk]| disks.iter().map(|disk| disk.bytes).sum::<u64>() as f64 / disks.len() as f64 / 1e3;
    table.row(
        "… fsyncs before the answer",
        median(&counts).to_string(),
        format!("{most} at most, where 256 entries are sealed; {:.1} after it on average; target 6", syncs(&post)),
    );
    table.row(
        "… bytes written, `landed` included, on average",
        format!("{:.1} KB", kilobytes(&pre) + kilobytes(&post)),
        format!("{:.1} KB before the answer; target 12 KB", kilobytes(&pre)),
    );
}

/// What the six fsyncs of an append cost alone in this folder: three small files written, renamed and synced with
/// their folder. The median of fifty.
fn sync_cost(dir: &Path) -> Duration {
    let (fresh, path) = (dir.join("sync-cost.new"), dir.join("sync-cost"));
    let costs: Vec<Duration> = (0..50)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..3 {
                let mut file = File::create(&fresh).unwrap();
                file.write_all(&[0; 1024]).unwrap();
                file.sync_all().unwrap();
                fs::rename(&fresh, &path).unwrap();
                File::open(dir).unwrap().sync_all().unwrap();
            }
            begin.elapsed()
        })
        .collect();
    fs::remove_file(path).unwrap();
    median(&costs)
}

/// Appends one push after another, without Git around it.
pub fn appends(table: &mut Table, size: Size) {
    let count = if size == Size::Full { 1000 } else { 200 };
    let path = folder("append.git");
    let _ = fs::remove_dir_all(&path);
    let mut maker = ledger::Maker::new(&path);
    let mut costs: Vec<Duration> = (0..count).map(|_| maker.append_one()).collect();
    let syncs = sync_cost(&path);
    let middle = median(&costs);
    costs.sort();
    table.row(
        "append of a push with its commit, fsynced, without Git around it",
        ms(middle),
        format!(
            "{} for the slowest of a hundred; its six fsyncs alone: {}",
            ms(costs[count - count / 100 - 1]),
            ms(syncs)
        ),
    );
    let me = std::env::current_exe().unwrap();
    let mut child = Command::new(me);
    child.arg("append-child").arg(&path).arg("256").current_dir(&path);
    let Some(disks) = strace::trace(&child, &folder("append.strace")) else { return };
    let all = disks.values().fold(Disk::default(), |a, b| Disk { syncs: a.syncs + b.syncs, bytes: a.bytes + b.bytes });
    table.row(
        "… fsyncs and bytes written, of 256 with their seals",
        format!("{:.1} fsyncs, {:.1} KB", all.syncs as f64 / 256.0, all.bytes as f64 / 256_000.0),
        String::new(),
    );
}

/// Goes on with a ledger: so many appends, for somebody who counts.
pub fn append_child(path: &Path, count: usize) {
    let mut maker = ledger::Maker::resume(path);
    for _ in 0..count {
        maker.append_one();
    }
}
