//! What the hooks add to `git commit`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use crate::Size;
use crate::folder;
use crate::measure::{Pairs, Table, ms, time};
use crate::world::World;

/// A signed commit of one small file with our hooks, and the same without any.
pub fn commits(table: &mut Table, size: Size) {
    let count = if size == Size::Full { 400 } else { 100 };
    let world = World::new(&folder("commit"));
    let first = world.commit(0);
    // The clone follows the ledger, so that its commits name a checkpoint.
    world.ok(&world.clone_dir(), "git", &["push", "-q", "origin", &format!("{first}:refs/heads/main")]);
    let pairs = Pairs::run(count, numbered(|number| commit(&world, number, &[])), {
        numbered(|number| commit(&world, number, &["-c", "core.hooksPath=/dev/null"]))
    });
    table.row(
        "`git commit` of a small file, signed, with our three hooks",
        ms(pairs.ours()),
        format!("{} without hooks", ms(pairs.other())),
    );
    table.row("… what the hooks add", format!("{:.1} ms", pairs.more_ms()), "target 15 ms".to_owned());
    let idle = idle_hooks(&world);
    let idle = Pairs::run(count / 2, numbered(|number| commit(&world, number, &["-c", &idle])), {
        numbered(|number| commit(&world, number, &["-c", "core.hooksPath=/dev/null"]))
    });
    table.row("… what three hooks of `exit 0` add", format!("{:.1} ms", idle.more_ms()), String::new());
    let amends = Pairs::run(
        count / 4,
        || time(&mut amend(&world, &[])),
        || time(&mut amend(&world, &["-c", "core.hooksPath=/dev/null"])),
    );
    let against = format!("{} without hooks; one hook more, and two manifests", ms(amends.other()));
    table.row("… of `git commit --amend`", format!("{:.1} ms", amends.more_ms()), against);
}

/// The option for a folder of hooks that do nothing: what Git and a shell take by themselves.
fn idle_hooks(world: &World) -> String {
    let folder = world.clone_dir().with_file_name("idle-hooks");
    fs::create_dir_all(&folder).unwrap();
    for name in ["prepare-commit-msg", "commit-msg", "post-commit"] {
        let hook = folder.join(name);
        fs::write(&hook, "#!/bin/sh\nexit 0\n").unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("core.hooksPath={}", folder.display())
}

fn numbered(mut run: impl FnMut(usize) -> Duration) -> impl FnMut() -> Duration {
    let mut number = 0;
    move || {
        number += 1;
        run(number)
    }
}

fn commit(world: &World, number: usize, options: &[&str]) -> Duration {
    let dir = world.clone_dir();
    let text = format!("{{\"scale\":{number},\"options\":\"{}\"}}\n", options.concat());
    fs::write(dir.join("models/scaler.json"), text).unwrap();
    world.ok(&dir, "git", &["add", "."]);
    let message = format!("Retrain number {number}");
    time(&mut world.command(&dir, "git", &[options, &["commit", "-q", "-m", &message]].concat()))
}

fn amend(world: &World, options: &[&str]) -> Command {
    let words = [options, &["commit", "-q", "--amend", "--no-edit"]].concat();
    world.command(&world.clone_dir(), "git", &words)
}
