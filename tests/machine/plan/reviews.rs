//! Reviews, as the job asks for them.

use accrue::domain::ids::MemberId;
use accrue::domain::tier::Reviewed;
use accrue::ledger::{Command, Review};
use uuid::Uuid;

use super::Planner;

impl Planner<'_> {
    /// The next so many members of a journal, as the job takes them; from the beginning once all were.
    pub(super) fn review(&mut self, journal: i16, most: usize) -> Command {
        let version = self.model.version();
        let before = self.reviewed.get(&(journal, version)).filter(|before| !before.is_done);
        let (after, by_then) = before.map_or((Uuid::nil(), 0), |before| (before.after, before.members));
        let next = self.model.people.keys().filter(|id| id.journal() == journal && id.uuid() > after);
        let members: Vec<MemberId> = next.copied().take(most).collect();
        let after = members.last().map_or(after, |member| member.uuid());
        let by_then = by_then + i64::try_from(members.len()).expect("there are few");
        let reviewed = Reviewed { journal, version, after, members: by_then, is_done: members.len() < most };
        self.reviewed.insert((journal, version), reviewed);
        Review { members, reviewed }.into()
    }
}
