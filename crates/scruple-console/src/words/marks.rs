//! States on the page: a sign, a word and a colour, so that none is told by its colour alone.

/// How a state shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    pub(crate) class: &'static str,
    pub(crate) sign: &'static str,
    pub(crate) word: &'static str,
}

impl Mark {
    pub(crate) const SHOWN: Self = Self::good("Shown");
    pub(crate) const MASKED: Self = Self::wait("Masked");
    pub(crate) const PART: Self = Self { class: "part", sign: "◒", word: "In part" };
    pub(crate) const WITHHELD: Self = Self::bad("Withheld");
    pub(crate) const WIDER: Self = Self { class: "added", sign: "+", word: "Wider" };
    pub(crate) const NARROWER: Self = Self::over("Narrower");
    pub(crate) const OTHERWISE: Self = Self::wait("Otherwise");
    pub(crate) const ADDED: Self = Self { class: "added", sign: "+", word: "Added" };

    /// It is as it should be.
    pub(crate) const fn good(word: &'static str) -> Self {
        Self { class: "shown", sign: "●", word }
    }

    /// Somebody has to do something.
    pub(crate) const fn wait(word: &'static str) -> Self {
        Self { class: "masked", sign: "◐", word }
    }

    /// It is refused, or something is wrong.
    pub(crate) const fn bad(word: &'static str) -> Self {
        Self { class: "withheld", sign: "○", word }
    }

    /// It is over.
    pub(crate) const fn over(word: &'static str) -> Self {
        Self { class: "over", sign: "–", word }
    }
}

/// Where a request stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RequestState {
    Waiting,
    /// Approved, and begins later.
    Approved,
    Active,
    Refused,
    /// Nobody answered in time.
    Lapsed,
    Withdrawn,
    Ended,
    Expired,
    /// A connected system did not take it.
    Failed,
}

impl RequestState {
    pub(crate) const fn mark(self) -> Mark {
        match self {
            Self::Waiting => Mark::wait("Waiting"),
            Self::Approved => Mark::good("Approved"),
            Self::Active => Mark::good("Active"),
            Self::Refused => Mark::bad("Refused"),
            Self::Lapsed => Mark::bad("Not answered in time"),
            Self::Withdrawn => Mark::over("Withdrawn"),
            Self::Ended => Mark::over("Ended early"),
            Self::Expired => Mark::over("Over"),
            Self::Failed => Mark::bad("Not carried out"),
        }
    }
}

/// Where a person stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PersonState {
    Invited,
    Active,
    OnLeave,
    /// No access: nobody has used it for long, or a step is missing.
    Suspended,
    Left,
}

impl PersonState {
    pub(crate) const fn mark(self) -> Mark {
        match self {
            Self::Invited => Mark::wait("Invited"),
            Self::Active => Mark::good("Active"),
            Self::OnLeave => Mark::wait("On leave"),
            Self::Suspended => Mark::bad("Suspended"),
            Self::Left => Mark::over("Left"),
        }
    }
}

/// Where an emergency review stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReviewState {
    Open,
    /// The reader was asked.
    Asked,
    Late,
    Justified,
    /// Not justified: a case is open.
    Case,
}

impl ReviewState {
    pub(crate) const fn mark(self) -> Mark {
        match self {
            Self::Open => Mark::wait("To review"),
            Self::Asked => Mark::wait("Reader asked"),
            Self::Late => Mark::bad("Late"),
            Self::Justified => Mark::good("Justified"),
            Self::Case => Mark::bad("Case opened"),
        }
    }
}

/// How much of a kind of information a role sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Depth {
    Full,
    Masked,
    None,
}

impl Depth {
    pub(crate) const fn mark(self) -> Mark {
        match self {
            Self::Full => Mark::good("In full"),
            Self::Masked => Mark::wait("In part"),
            Self::None => Mark::bad("Nothing"),
        }
    }
}

/// What is outside of a role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ExceptionKind {
    /// Access beyond the role, approved.
    Extra,
    Emergency,
    /// A declared relationship.
    Declared,
    /// A role that is broad by a signed exception.
    Broad,
    /// A segment, held by a grant.
    Protected,
}

impl ExceptionKind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Extra => "Extra access",
            Self::Emergency => "Emergency",
            Self::Declared => "Declared care",
            Self::Broad => "Broad role",
            Self::Protected => "Protected information",
        }
    }
}

/// A place of the console.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Area {
    Today,
    Charts,
    People,
    Requests,
    Emergency,
    Reviews,
    Roles,
    Papers,
    Disclosures,
    Incidents,
    Proof,
}

impl Area {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Today => "Today",
            Self::Charts => "Charts",
            Self::People => "People",
            Self::Requests => "Requests",
            Self::Emergency => "Emergency",
            Self::Reviews => "Reviews",
            Self::Roles => "Roles",
            Self::Papers => "Complaints",
            Self::Disclosures => "Disclosures",
            Self::Incidents => "Incidents",
            Self::Proof => "Proof",
        }
    }

    pub(crate) const fn href(self) -> &'static str {
        match self {
            Self::Today => "/",
            Self::Charts => "/charts",
            Self::People => "/people",
            Self::Requests => "/requests",
            Self::Emergency => "/emergency",
            Self::Reviews => "/reviews",
            Self::Roles => "/roles",
            Self::Papers => "/papers",
            Self::Disclosures => "/disclosures",
            Self::Incidents => "/incidents",
            Self::Proof => "/proof",
        }
    }
}
