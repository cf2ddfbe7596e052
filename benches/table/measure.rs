//! Times, medians, peak memory, and the table.

use std::fmt;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The rows measured so far.
#[derive(Default)]
pub struct Table(Vec<[String; 3]>);

impl Table {
    /// Adds a row: what, the figure, what it is held against.
    pub fn row(&mut self, what: &str, figure: String, against: String) {
        eprintln!("  {what}: {figure}; {against}");
        self.0.push([what.to_owned(), figure, against]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | measured | compared with |\n|---|---|---|")?;
        self.0.iter().try_for_each(|[what, figure, against]| writeln!(f, "| {what} | {figure} | {against} |"))
    }
}

/// The middle of some values; with an even number of them, the upper of the two.
pub fn median<T: Copy + PartialOrd>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap());
    sorted[sorted.len() / 2]
}

/// Measured in turns: ours and what it is compared with.
#[derive(Default)]
pub struct Pairs(Vec<(Duration, Duration)>);

impl Pairs {
    /// Runs each `count` times after one unmeasured round, and changes who goes first.
    pub fn run(count: usize, mut ours: impl FnMut() -> Duration, mut other: impl FnMut() -> Duration) -> Self {
        let mut pairs = Self::default();
        for round in 0..=count {
            let (first, second);
            if round % 2 == 0 {
                first = ours();
                second = other();
            } else {
                second = other();
                first = ours();
            }
            if round > 0 {
                pairs.0.push((first, second));
            }
        }
        pairs
    }

    pub fn ours(&self) -> Duration {
        median(&self.0.iter().map(|pair| pair.0).collect::<Vec<_>>())
    }

    pub fn other(&self) -> Duration {
        median(&self.0.iter().map(|pair| pair.1).collect::<Vec<_>>())
    }

    /// The median of what ours takes more, in milliseconds.
    pub fn more_ms(&self) -> f64 {
        median(&self.0.iter().map(|(ours, other)| (ours.as_secs_f64() - other.as_secs_f64()) * 1e3).collect::<Vec<_>>())
    }

    pub fn ratio(&self) -> f64 {
        median(&self.0.iter().map(|(ours, other)| ours.as_secs_f64() / other.as_secs_f64()).collect::<Vec<_>>())
    }
}

/// What a finished process cost.
pub struct Cost {
    pub wall: Duration,
    /// User and system time, in steps of 10 ms.
    pub cpu: Duration,
    /// The most memory it had resident, in bytes.
    pub peak: u64,
}

/// Runs a command that must succeed; its output is thrown away.
pub fn cost(command: &mut Command) -> Cost {
    let before = children_cpu();
    let begin = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        peak = peak.max(fs::read_to_string(&status).ok().and_then(|text| high_water(&text)).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    };
    let wall = begin.elapsed();
    assert!(ended.success(), "{command:?}: {ended}");
    Cost { wall, cpu: children_cpu().saturating_sub(before), peak }
}

/// Runs a command that must succeed, and returns how long it took.
#[track_caller]
pub fn time(command: &mut Command) -> Duration {
    let begin = Instant::now();
    let output = command.output().unwrap();
    let wall = begin.elapsed();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    wall
}

fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// User and system time of all children that ended.
fn children_cpu() -> Duration {
    stat_cpu([13, 14])
}

/// User and system time of this process.
pub fn own_cpu() -> Duration {
    stat_cpu([11, 12])
}

/// The sum of two fields behind the name in proc(5)'s `stat`, in hundredths of a second.
fn stat_cpu(fields: [usize; 2]) -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let all: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields.iter().map(|at| all[*at].parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// Milliseconds with two digits.
pub fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// Seconds with two digits.
pub fn s(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// The machine, in a line.
pub fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    let git =
        Command::new("git").arg("--version").output().map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned());
    format!(
        "{cores} cores of {}, {}, load {load} at the end",
        model.trim_start_matches([':', '\t', ' ']),
        git.unwrap_or_default()
    )
}
