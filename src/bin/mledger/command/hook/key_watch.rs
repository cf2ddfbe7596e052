//! A warning before a commit that cannot be signed.

use std::path::Path;

use mledger::hook::key_watch::{self, Alarm};

use crate::context::Context;
use crate::error::Failure;
use crate::keeping;
use crate::output::{BAD, tame};

/// Says what will go wrong, so that Git's own words are not all that there is. The commit goes on: Git decides.
pub fn warn(context: &Context, dir: &Path) {
    match key_watch::run(dir) {
        Ok(None) => {}
        Ok(Some(Alarm::Locked(custody, public))) => {
            let advice: String =
                keeping::advice(&custody, &public).iter().map(|line| format!("\n  {}", tame(line))).collect();
            context.output.say(format_args!("mledger: {BAD}this commit cannot be signed{BAD:#} here:{advice}"));
        }
        Ok(Some(Alarm::Broken(error))) => context.output.fail(&Failure::from(error)),
        Err(error) => context.output.fail(&Failure::from(error).of("the key was not looked at")),
    }
}
