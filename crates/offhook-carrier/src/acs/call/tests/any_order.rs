//! Whatever comes, in whatever order: one end, and nothing after it.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Happening {
    Wait(u64),
    Event(usize, Option<(i64, i64)>, bool),
    Reply(Operation, Reply),
    HangUp,
    Answer,
    Digits,
    Media(MediaNews),
    LateMedia,
    Heard,
}

fn happening() -> impl Strategy<Value = Happening> {
    let results = prop_oneof![
        Just(None),
        Just(Some((200, 0))),
        Just(Some((486, 560_486))),
        Just(Some((200, 5_002))),
        Just(Some((200, 7_000))),
    ];
    let operations = prop_oneof![
        Just(Operation::Create),
        Just(Operation::Answer),
        Just(Operation::Terminate),
        Just(Operation::SendDigits),
    ];
    let replies = prop_oneof![
        Just(done(Some("c1"))),
        Just(done(None)),
        Just(refused(404, Some(8_522))),
        Just(refused(403, None)),
        Just(uncertain()),
        Just(Reply::NotDone { reached: false, why: String::new() }),
    ];
    let media = prop_oneof![Just(MediaNews::Up(FORMAT)), Just(MediaNews::Lost), Just(MediaNews::Unusable)];
    prop_oneof![
        (0_u64..20_000).prop_map(Happening::Wait),
        (0..event::Kind::ALL.len(), results, any::<bool>())
            .prop_map(|(kind, result, ours)| Happening::Event(kind, result, ours)),
        (operations, replies).prop_map(|(operation, reply)| Happening::Reply(operation, reply)),
        Just(Happening::HangUp),
        Just(Happening::Answer),
        Just(Happening::Digits),
        media.prop_map(Happening::Media),
        Just(Happening::LateMedia),
        Just(Happening::Heard),
    ]
}

fn happen(line: &mut Line, happening: Happening) {
    match happening {
        Happening::Wait(ms) => line.wait(ms),
        Happening::Event(kind, result, ours) => {
            line.event_of(if ours { "c1" } else { "c2" }, event::Kind::ALL[kind].0, result)
        }
        Happening::Reply(operation, reply) => line.reply(operation, reply),
        Happening::HangUp => line.hang_up(),
        Happening::Answer => line.told(LegCommand::Answer),
        Happening::Digits => line.told(LegCommand::SendDigits("1w2".to_owned())),
        Happening::Media(news) => line.media(news),
        Happening::LateMedia => line.late_media("c1"),
        Happening::Heard => {
            line.call.heard(line.now);
            line
        }
    };
}

const ENDS: [&str; 4] = ["leg Failed", "leg HungUp", "leg Closed", "leg Lost"];

proptest! {
    #[test]
    fn one_end_and_nothing_after_it(
        inbound: bool,
        happenings in proptest::collection::vec(happening(), 0..24),
    ) {
        let mut line = if inbound { Line::offered() } else { Line::dial() };
        for happening in happenings {
            happen(&mut line, happening);
        }
        // Whatever state that is: told to end, it ends, and Microsoft need not even answer.
        line.hang_up().wait(10_000);
        let shown = line.shown.clone();
        let ends: usize = ENDS.iter().map(|end| shown.matches(end).count()).sum();
        prop_assert_eq!(ends, 1, "{}", shown);
        let last = ENDS.iter().filter_map(|end| shown.rfind(end)).max().unwrap();
        let after = &shown[last + "leg ".len()..];
        prop_assert!(!after.contains("leg "), "{}", shown);
        prop_assert!(shown.matches("ask Create").count() <= 1, "{}", shown);
        prop_assert!(line.call.is_over());
    }
}
