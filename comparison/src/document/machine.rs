//! What was measured on.

use std::fs;

/// Its processor, cores, memory and kernel, and how busy it is.
pub(crate) fn machine() -> String {
    let file = |path| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()));
        value.unwrap_or_default()
    };
    let processor = field(&file("/proc/cpuinfo"), "model name");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = field(&file("/proc/meminfo"), "MemTotal");
    let memory = memory.trim_end_matches(" kB").parse::<u64>().unwrap_or_default() >> 20;
    let kernel = file("/proc/sys/kernel/osrelease");
    let kernel: Vec<_> = kernel.trim().split('.').take(2).collect();
    let load = file("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{cores} cores of {processor}, {memory} GB of memory, Linux {}; load before the run: {load}",
        kernel.join(".")
    )
}
