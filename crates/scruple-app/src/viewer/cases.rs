//! What somebody may read of questions about charts and of complaints: those who look into charts, and of a complaint neither whom it
//! is about nor who is of his line. The reader himself sees that he is asked, and no more.

use super::{Page, SCANNED_MAX, Viewer};
use crate::desk::{DeskError, Rules, is_told_of};
use scruple_core::Id;
use scruple_flow::{CaseState, ChartCase, ChartQuestion};
use scruple_policy::Act;
use scruple_store::{
    Store, StoreError, Tx, find_case, find_question, list_cases, list_cases_asked_of, list_cases_of_question,
    list_open_cases, list_questions,
};

impl Viewer {
    fn looks_into_charts(&self, rules: &dyn Rules) -> bool {
        rules.scope(Act::Charts, &self.roles).is_some()
    }

    /// A question about a chart.
    ///
    /// # Errors
    /// The database failed.
    pub async fn question(
        &self,
        store: &Store,
        rules: &dyn Rules,
        id: Id<ChartQuestion>,
    ) -> Result<Option<ChartQuestion>, StoreError> {
        if !self.looks_into_charts(rules) {
            return Ok(None);
        }
        find_question(&mut store.begin_read().await?, id).await
    }

    /// The questions about charts, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn questions(
        &self,
        store: &Store,
        rules: &dyn Rules,
        (before, limit): (Option<Id<ChartQuestion>>, usize),
    ) -> Result<Page<ChartQuestion, Id<ChartQuestion>>, StoreError> {
        if !self.looks_into_charts(rules) {
            return Ok(Page { rows: Vec::new(), next: None });
        }
        let mut rows = list_questions(&mut store.begin_read().await?, before).await?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().map(|last| last.id).filter(|_| has_more);
        Ok(Page { rows, next })
    }

    async fn told(&self, tx: &mut Tx, rules: &dyn Rules, cases: Vec<ChartCase>) -> Result<Vec<ChartCase>, DeskError> {
        let mut told = Vec::with_capacity(cases.len());
        for case in cases {
            if self.reaches(rules, Act::Charts, case.reader) && is_told_of(tx, self.person, &case).await? {
                told.push(case);
            }
        }
        Ok(told)
    }

    /// A complaint.
    ///
    /// # Errors
    /// The database failed.
    pub async fn case(
        &self,
        store: &Store,
        rules: &dyn Rules,
        id: Id<ChartCase>,
    ) -> Result<Option<ChartCase>, DeskError> {
        let mut tx = store.begin_read().await?;
        let found = find_case(&mut tx, id).await?;
        Ok(self.told(&mut tx, rules, found.into_iter().collect()).await?.pop())
    }

    /// The complaints that grew out of a question, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn cases_of(
        &self,
        store: &Store,
        rules: &dyn Rules,
        question: Id<ChartQuestion>,
    ) -> Result<Vec<ChartCase>, DeskError> {
        let mut tx = store.begin_read().await?;
        let found = list_cases_of_question(&mut tx, question).await?;
        self.told(&mut tx, rules, found).await
    }

    /// The complaints that no letter has ended, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn open_cases(&self, store: &Store, rules: &dyn Rules) -> Result<Vec<ChartCase>, DeskError> {
        let mut tx = store.begin_read().await?;
        let found = list_open_cases(&mut tx).await?;
        self.told(&mut tx, rules, found).await
    }

    /// All complaints, the newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn cases(
        &self,
        store: &Store,
        rules: &dyn Rules,
        (before, limit): (Option<Id<ChartCase>>, usize),
    ) -> Result<Page<ChartCase, Id<ChartCase>>, DeskError> {
        let mut tx = store.begin_read().await?;
        let (mut rows, mut next, mut looked): (Vec<ChartCase>, _, usize) = (Vec::new(), before, 0);
        loop {
            let page = list_cases(&mut tx, next).await?;
            if page.is_empty() {
                return Ok(Page { rows, next: None });
            }
            for case in page {
                if rows.len() >= limit || looked >= SCANNED_MAX {
                    return Ok(Page { rows, next });
                }
                (next, looked) = (Some(case.id), looked + 1);
                rows.extend(self.told(&mut tx, rules, vec![case]).await?);
            }
        }
    }

    /// The complaint about him in which he was asked and has not answered; another's, and one that nobody asked him about, is not there
    /// for him.
    ///
    /// # Errors
    /// The database failed.
    pub async fn asked_case(&self, store: &Store, id: Id<ChartCase>) -> Result<Option<ChartCase>, StoreError> {
        let found = find_case(&mut store.begin_read().await?, id).await?;
        Ok(found.filter(|case| case.reader == self.person && case.state == CaseState::Asked))
    }

    /// The complaint about him that he answered as it was at a version, and that nobody has gone on with.
    ///
    /// # Errors
    /// The database failed.
    pub async fn answered_case(
        &self,
        store: &Store,
        id: Id<ChartCase>,
        version: i64,
    ) -> Result<Option<ChartCase>, StoreError> {
        let found = find_case(&mut store.begin_read().await?, id).await?;
        Ok(found.filter(|case| {
            case.reader == self.person && case.state == CaseState::Answered && case.version == version.saturating_add(1)
        }))
    }

    /// All of those that wait for his answer, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn asked_cases(&self, store: &Store) -> Result<Vec<ChartCase>, StoreError> {
        list_cases_asked_of(&mut store.begin_read().await?, self.person).await
    }
}
