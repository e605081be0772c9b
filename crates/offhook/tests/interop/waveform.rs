//! Whether what was heard is what was said: by the waveform, not by its size.

use offhook_testkit::tone::level_dbfs;

/// How much is compared in one piece: 200 ms.
const PIECE: usize = 1_600;
/// What is softer is a pause.
const AUDIBLE_DBFS: f64 = -45.0;
/// How far a piece may have moved against its neighbour: what jitter buffers do, on a busy machine more than once.
const SLIP: usize = 1_600;
/// A piece that lost a packet on its way is still known by the rest.
const ALIKE: f32 = 0.8;
/// Looking through a whole recording, one sample of so many is looked at first.
const GLANCE: usize = 4;

/// How alike two stretches are, whatever their loudness: 1 is the same, 0 has nothing in common.
fn likeness(said: &[i16], heard: &[i16], step: usize) -> f32 {
    let (mut both, mut of_said, mut of_heard) = (0.0_f32, 0.0_f32, 0.0_f32);
    let mut at = 0;
    while at < said.len().min(heard.len()) {
        let (said, heard) = (f32::from(said[at]), f32::from(heard[at]));
        both += said * heard;
        of_said += said * said;
        of_heard += heard * heard;
        at += step;
    }
    both / (of_said * of_heard).sqrt().max(1.0)
}

/// Where in a whole recording a piece is found.
fn find(piece: &[i16], heard: &[i16]) -> Option<usize> {
    let last = heard.len().checked_sub(piece.len())?;
    (0..=last)
        .filter(|at| likeness(piece, &heard[*at..], GLANCE * 8) > ALIKE / 2.0)
        .filter(|at| likeness(piece, &heard[*at..], GLANCE) > ALIKE / 2.0)
        .map(|at| (at, likeness(piece, &heard[at..], 1)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, best)| *best > ALIKE)
        .map(|(at, _)| at)
}

/// Where around a place a piece is found.
fn find_near(piece: &[i16], heard: &[i16], expected: isize) -> Option<usize> {
    let from = usize::try_from(expected).unwrap_or(0).saturating_sub(SLIP);
    let heard = heard.get(from..)?;
    let heard = &heard[..heard.len().min(2 * SLIP + piece.len())];
    find(piece, heard).map(|at| from + at)
}

/// The share of what was audibly said that was heard, in order.
///
/// The loudest piece may be anywhere; from there on, both ways, each has its place beside the one before.
pub fn share_heard(said: &[i16], heard: &[i16]) -> f64 {
    let pieces: Vec<&[i16]> = said.chunks_exact(PIECE).collect();
    let levels: Vec<f64> = pieces.iter().map(|piece| level_dbfs(piece)).collect();
    let loudest = (0..pieces.len()).max_by(|a, b| levels[*a].total_cmp(&levels[*b])).expect("a piece");
    assert!(levels[loudest] > AUDIBLE_DBFS, "nothing was said");
    let Some(anchor) = find(pieces[loudest], heard) else { return 0.0 };
    let (mut audible, mut found) = (1, 1);
    let ways: [&mut dyn Iterator<Item = usize>; 2] =
        [&mut (loudest + 1..pieces.len()), &mut (0..loudest).rev()];
    for way in ways {
        let (mut before, mut at) = (loudest, anchor);
        for number in way.filter(|number| levels[*number] > AUDIBLE_DBFS) {
            audible += 1;
            let moved = (number as isize - before as isize) * PIECE as isize;
            if let Some(place) = find_near(pieces[number], heard, at as isize + moved) {
                found += 1;
                (before, at) = (number, place);
            }
        }
    }
    f64::from(found) / f64::from(audible)
}
