//! The porch of mledger: arguments, terminal and exit codes. What it means stands in the library.
//!
//! ```text
//! 0 fine   1 failed   2 usage   3 denied by policy   4 verification found something
//! ```

mod command;
mod context;
mod error;
mod keeping;
mod output;
mod question;
mod refusal;
mod statement;
mod verifier;

use std::ffi::OsString;
use std::process::ExitCode;

use self::command::Cli;
use self::context::Context;
use self::output::Output;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if verifier::is_called(&arguments) {
        return verifier::answer(&arguments);
    }
    let cli = match Cli::read(arguments) {
        Ok(cli) => cli,
        // Help and version are such errors, too; clap knows where each goes and what it counts as.
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(1);
            return error.print().map_or_else(|failed| error::Failure::from(failed).code(), |()| ExitCode::from(code));
        }
    };
    let output = Output::new(&cli.global);
    match Context::enter(&cli.global, output).and_then(|context| command::run(&context, &cli.command)) {
        Ok(end) => end.code(),
        Err(failure) => {
            output.fail(&failure);
            failure.code()
        }
    }
}
