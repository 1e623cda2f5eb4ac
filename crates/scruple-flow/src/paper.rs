//! Papers in the file of a complaint, and the walls that some of them stand behind: counsel's privileged work, and matters of
//! staff. What stands behind a wall is read by those behind it and goes into no pack, save by their own act.
//!
//! `in_file -> walled <-> released`

use crate::{ChartCase, Person, WeakReason, reason};
use scruple_core::{Id, Phi, Timestamp};

#[cfg(test)]
mod tests;

/// Bytes of a paper.
pub const PAPER_BYTES_MAX: usize = 32 * 1024;

codes! {
    /// A wall.
    Wall {
        /// Counsel's work, which privilege protects.
        Counsel = "counsel",
        /// Matters of a member of the workforce: sanctions, health, family.
        Staff = "staff",
    }
}

/// Where a paper stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PaperState {
    /// With the file: who handles the complaint reads it, and it goes into the pack.
    InFile,
    /// Behind a wall.
    Walled(Wall),
    /// Let out of it, to go into packs.
    Released(Wall, PaperAct),
}

impl PaperState {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InFile => "in_file",
            Self::Walled(_) => "walled",
            Self::Released(..) => "released",
        }
    }

    /// The wall that it stands behind, or was let out of.
    #[must_use]
    pub const fn wall(&self) -> Option<Wall> {
        match self {
            Self::InFile => None,
            Self::Walled(wall) | Self::Released(wall, _) => Some(*wall),
        }
    }
}

/// Who let a paper out, when, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PaperAct {
    /// Who.
    pub by: Id<Person>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Phi<String>,
}

/// A paper.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CasePaper {
    /// Its id.
    pub id: Id<Self>,
    /// The complaint whose file it is in.
    pub case: Id<ChartCase>,
    /// What it says. It is never changed.
    pub text: Phi<String>,
    /// Who wrote it.
    pub written_by: Id<Person>,
    /// When.
    pub written_at: Timestamp,
    /// Where it stands.
    pub state: PaperState,
    /// Version of the row.
    pub version: i64,
}

/// A paper that is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPaper {
    /// Its id.
    pub id: Id<CasePaper>,
    /// The complaint.
    pub case: Id<ChartCase>,
    /// What it says.
    pub text: Phi<String>,
    /// The wall that it is written behind; none: it is in the file.
    pub wall: Option<Wall>,
}

/// Somebody at a file, with the facts that tell what he may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PaperHand<'a> {
    /// Who.
    pub person: Id<Person>,
    /// He is the one whose access the complaint is about.
    pub is_reader: bool,
    /// He handles complaints.
    pub is_office: bool,
    /// The walls that he is behind.
    pub walls: &'a [Wall],
    /// He has confirmed just now that it is he.
    pub stepped_up: bool,
}

impl PaperHand<'_> {
    fn is_behind(&self, wall: Wall) -> bool {
        !self.is_reader && self.walls.contains(&wall)
    }
}

/// What happens to a paper.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaperEvent {
    /// It is put behind a wall, or back.
    Wall,
    /// It is let out to go into packs.
    Release,
}

/// Why nothing happens to a paper.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PaperError {
    /// That does not follow on where it stands.
    #[error("a paper that is {from} cannot be changed by {event:?}")]
    Transition {
        /// Where it stands.
        from: &'static str,
        /// What should happen.
        event: PaperEvent,
    },
    /// Who acts does not stand behind the wall, or is the one whom the complaint is about.
    #[error("this is for those behind the wall, and never for whom the complaint is about")]
    NotBehind,
    /// Who acts has not confirmed that it is he.
    #[error("confirm first that it is you")]
    StepUp,
    /// It says nothing, or too much.
    #[error("a paper holds 1 to {PAPER_BYTES_MAX} bytes")]
    Length,
    /// Why it is let out is not said.
    #[error(transparent)]
    Reason(#[from] WeakReason),
}

impl PaperError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transition { .. } => "invalid_paper_state",
            Self::NotBehind => "not_behind_wall",
            Self::StepUp => "step_up_required",
            Self::Length => "paper_length",
            Self::Reason(reason) => reason.code(),
        }
    }
}

impl CasePaper {
    /// Writes one. Who handles the complaint may write behind a wall, as to counsel; reading there is another matter.
    ///
    /// # Errors
    /// Who writes may not, or it is empty or too long.
    pub fn write(new: NewPaper, by: PaperHand<'_>, at: Timestamp) -> Result<Self, PaperError> {
        let may = by.is_office || new.wall.is_some_and(|wall| by.is_behind(wall));
        if by.is_reader || !may {
            return Err(PaperError::NotBehind);
        }
        let length = new.text.expose().trim().len();
        if length == 0 || length > PAPER_BYTES_MAX {
            return Err(PaperError::Length);
        }
        Ok(Self {
            id: new.id,
            case: new.case,
            text: new.text,
            written_by: by.person,
            written_at: at,
            state: new.wall.map_or(PaperState::InFile, PaperState::Walled),
            version: 1,
        })
    }

    /// Puts it behind a wall, or back behind the one that it was let out of: packs that were made have it, later ones do not.
    ///
    /// # Errors
    /// It stands there already, or came out of another wall, or who acts is not behind it.
    pub fn wall(self, by: PaperHand<'_>, wall: Wall) -> Result<Self, PaperError> {
        match self.state {
            PaperState::InFile => {}
            PaperState::Released(from, _) if from == wall => {}
            PaperState::Walled(_) | PaperState::Released(..) => {
                return Err(PaperError::Transition { from: self.state.code(), event: PaperEvent::Wall });
            }
        }
        if !by.is_behind(wall) {
            return Err(PaperError::NotBehind);
        }
        Ok(Self { state: PaperState::Walled(wall), ..self })
    }

    /// Lets it out, to go into packs.
    ///
    /// # Errors
    /// It is not behind a wall, or who acts is not, has not confirmed himself, or does not say why.
    pub fn release(self, by: PaperHand<'_>, why: Phi<String>, at: Timestamp) -> Result<Self, PaperError> {
        let PaperState::Walled(wall) = self.state else {
            return Err(PaperError::Transition { from: self.state.code(), event: PaperEvent::Release });
        };
        if !by.is_behind(wall) {
            return Err(PaperError::NotBehind);
        }
        if !by.stepped_up {
            return Err(PaperError::StepUp);
        }
        reason(why.expose(), None)?;
        Ok(Self { state: PaperState::Released(wall, PaperAct { by: by.person, at, reason: why }), ..self })
    }

    /// Whether somebody reads it.
    #[must_use]
    pub fn is_read_by(&self, hand: PaperHand<'_>) -> bool {
        !hand.is_reader
            && match self.state {
                PaperState::InFile => hand.is_office || hand.is_behind(Wall::Counsel),
                PaperState::Walled(wall) => hand.is_behind(wall),
                PaperState::Released(wall, _) => hand.is_office || hand.is_behind(wall),
            }
    }

    /// Whether it goes into a pack: what stands behind a wall never does, whoever makes the pack.
    #[must_use]
    pub const fn goes_into_pack(&self) -> bool {
        !matches!(self.state, PaperState::Walled(_))
    }
}
