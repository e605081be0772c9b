//! A whole run, short: the gateway built into the generator, real sockets, every figure present.

#![cfg(target_os = "linux")]

use std::process::Command;

use serde_json::Value;

fn bench(more: &[&str]) -> Value {
    let run = Command::new(env!("CARGO_BIN_EXE_offhook-bench"))
        .args(["--json", "--unpinned", "--seconds", "1", "--setup-rate", "10", "--rest-seconds", "0"])
        .args(["--speech-ms", "400", "--pause-ms", "800", "--overload-seconds", "0"])
        .args(more)
        .output()
        .expect("the program runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).expect("JSON")
}

fn every_frame_passed(report: &Value) {
    assert_eq!(report["calls"], 3, "{report:#}");
    for way in ["up", "down"] {
        let way = &report["media"][way];
        assert!(way["sent"].as_u64().unwrap() > 30, "{report:#}");
        assert_eq!(way["lost"], 0, "{report:#}");
    }
    assert!(report["media"]["up"]["delay_ms"]["p50"].as_f64().unwrap() > 0.0);
    assert!(report["media"]["down"]["off_beat_ms"]["count"].as_u64().unwrap() > 0);
    assert!(report["cpu_us_per_frame"].as_f64().unwrap() > 0.0);
    assert!(report["memory"]["idle_kib"].as_u64().unwrap() > 0);
    assert_eq!(report["placing"]["answered"], 3);
}

#[test]
fn calls_are_placed_talk_and_are_measured() {
    every_frame_passed(&bench(&["--calls", "3"]));
}

#[test]
fn the_same_with_tls() {
    every_frame_passed(&bench(&["--calls", "3", "--tls"]));
}

#[test]
fn the_same_over_acs() {
    every_frame_passed(&bench(&["--calls", "3", "--carrier", "acs"]));
}

#[test]
fn a_program_that_is_no_gateway_is_an_error() {
    let run = Command::new(env!("CARGO_BIN_EXE_offhook-bench"))
        .args(["--calls", "1", "--unpinned", "--offhook", "/bin/true"])
        .output()
        .expect("the program runs");
    assert!(!run.status.success());
    assert!(String::from_utf8_lossy(&run.stderr).contains("the gateway did not start"));
}
