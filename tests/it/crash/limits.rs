//! Too little of something: disk, handles, memory. The hook's program alone has to do with it; Git has enough.

use super::server::Theatre;
use super::world::Run;

/// What there is too little of.
#[derive(Clone, Copy, Debug)]
pub enum Scarce {
    /// No file may grow beyond so many blocks of 512 bytes.
    Disk,
    /// So many files may be open at once.
    Handles,
    /// So many KiB may be mapped.
    Memory,
}

impl Scarce {
    /// Plays the scene with so much of it, and then with enough; returns what the first said.
    pub fn play(self, theatre: &Theatre, amount: u64) -> Result<Run, String> {
        // As an error, not as a signal that nobody hears of.
        let (option, before) = match self {
            Self::Disk => ('f', "trap \"\" XFSZ; "),
            Self::Handles => ('n', ""),
            Self::Memory => ('v', ""),
        };
        let script = format!("{before}ulimit -{option} {amount} && exec \"$@\"");
        let words = ["sh", "-c", &script, "sh"].map(str::to_owned);
        // The loader of programs may lack memory to say so.
        let is_mute = matches!(self, Self::Memory);
        theatre.play_under(&words, is_mute).map_err(|why| format!("{self:?} {amount}: {why}"))
    }
}
