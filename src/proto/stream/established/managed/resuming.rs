//! Acknowledgements that we ask for on a stream of ours, and sessions of ours that go on (XEP-0198 §5).

use super::{Acks, Counted, broken};
use crate::proto::policy::Reason;
use crate::proto::stream::acks::{Nonza, RESUME_WITHIN, Sent, Suspended};
use crate::proto::stream::cx::Cx;
use crate::proto::stream::established::Established;
use crate::proto::stream::machine::{AckChange, Output};

/// The longest id of a session that we keep, in bytes: it is the other side's text. A session with a longer
/// one is not resumed.
const LONGEST_ID: usize = 1 << 10;

impl Established {
    /// Asks for acknowledgements on a stream of ours: to go on with a session, where there is one.
    pub(in crate::proto::stream) fn ask_for_acks(
        &mut self,
        cx: &mut Cx<'_>,
        session: Option<Box<Suspended>>,
    ) {
        let Some(mut session) = session else {
            return self.enable_acks(cx);
        };
        let resume = Nonza::Resume {
            previd: session.id.clone(),
            h: session.agreed.resume(),
        };
        cx.wire.send(&resume.to_element());
        let until = cx.now.monotonic + Sent::ANSWER_WITHIN;
        self.acks = Acks::Resuming(session, until);
    }

    fn enable_acks(&mut self, cx: &mut Cx<'_>) {
        // XEP-0198 §5: whoever enables says that it wants to be able to resume.
        let enable = Nonza::Enable {
            resume: true,
            max: Some(RESUME_WITHIN),
        };
        cx.wire.send(&enable.to_element());
        cx.wire.push(Output::Acks(AckChange::Begun(None)));
        self.acks = Acks::Asked(Box::default());
    }

    /// They are agreed on. XEP-0198 §5: `location` says where else the session would be resumed, and is not
    /// looked at: where a partner is, policy and DNS say.
    pub(super) fn enabled(&mut self, id: Option<String>, max: Option<u32>) {
        if let Acks::Asked(mut counted) = std::mem::take(&mut self.acks) {
            counted.id = id.filter(|id| id.len() <= LONGEST_ID);
            counted.within = max;
            self.acks = Acks::Agreed(counted);
        }
    }

    /// A session of ours goes on, and the other side has taken on the first `h` of its stanzas.
    pub(super) fn resumed(&mut self, cx: &mut Cx<'_>, h: u32) -> Result<(), Reason> {
        let Acks::Resuming(session, _) = std::mem::take(&mut self.acks) else {
            return Ok(());
        };
        let Suspended {
            id,
            within,
            mut agreed,
            ..
        } = *session;
        agreed.peer_resumed(h, cx.now.monotonic).map_err(broken)?;
        cx.wire.push(Output::Acks(AckChange::Resumed(h)));
        self.acks = Acks::Agreed(Box::new(Counted {
            agreed,
            id: Some(id),
            within,
            ..Counted::default()
        }));
        Ok(())
    }

    /// It does not. XEP-0198 §5: `h`, where it is there, says how far the other side got.
    pub(super) fn not_resumed(&mut self, cx: &mut Cx<'_>, h: Option<u32>) -> Result<(), Reason> {
        let Acks::Resuming(mut session, _) = std::mem::take(&mut self.acks) else {
            return Ok(());
        };
        if let Some(h) = h {
            let now = cx.now.monotonic;
            session.agreed.peer_resumed(h, now).map_err(broken)?;
        }
        cx.wire.push(Output::Acks(AckChange::NotResumed(h)));
        self.enable_acks(cx);
        Ok(())
    }

    /// Whether a session of ours is being resumed: nothing is written before the answer.
    pub(in crate::proto::stream) fn is_resuming(&self) -> bool {
        matches!(self.acks, Acks::Resuming(..))
    }
}
