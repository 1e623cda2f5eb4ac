//! The directory as it is read: a person or a group with what belongs to it, each in one state of the database.

use super::DirectoryError;
use super::user::place;
use scruple_core::{Id, Phi, Timestamp};
use scruple_flow::directory::{Place, Standing};
use scruple_store::{
    DirectoryRecord, Group, GroupOf, Login, Person, Store, Tx, find_directory, find_directory_by_external_id,
    find_open_leave, find_person_by_login, groups_of, list_directory, list_groups, list_members,
};

/// A person of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserView {
    /// What is told of him.
    pub record: DirectoryRecord,
    /// How he stands.
    pub standing: Standing,
    /// The groups that he is in.
    pub groups: Vec<GroupOf>,
}

/// A group of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupView {
    /// The group.
    pub group: Group,
    /// Who is in it, in the order of the ids.
    pub members: Vec<Id<Person>>,
}

pub(super) async fn view(tx: &mut Tx, person: Id<Person>, at: Timestamp) -> Result<Option<UserView>, DirectoryError> {
    match find_directory(tx, person).await?.filter(|record| record.deleted_at.is_none()) {
        Some(record) => Ok(Some(complete(tx, record, at).await?)),
        None => Ok(None),
    }
}

async fn complete(tx: &mut Tx, record: DirectoryRecord, at: Timestamp) -> Result<UserView, DirectoryError> {
    let leave = find_open_leave(tx, record.person.id).await?;
    let standing = Standing::at(at, record.person.left_at, leave.as_ref());
    let groups = groups_of(tx, record.person.id).await?;
    Ok(UserView { record, standing, groups })
}

pub(super) async fn place_of(tx: &mut Tx, record: &DirectoryRecord) -> Result<Place, DirectoryError> {
    let groups = groups_of(tx, record.person.id).await?;
    Ok(Place { roles: groups.into_iter().filter_map(|group| group.role).collect(), ..place(&record.attributes) })
}

pub(super) async fn members(tx: &mut Tx, group: Id<Group>) -> Result<Vec<Id<Person>>, DirectoryError> {
    let mut members = Vec::new();
    loop {
        let page = list_members(tx, group, members.last().copied()).await?;
        if page.is_empty() {
            return Ok(members);
        }
        members.extend(page);
    }
}

/// A person of the directory.
///
/// # Errors
/// The database failed.
pub async fn find_user(store: &Store, person: Id<Person>, at: Timestamp) -> Result<Option<UserView>, DirectoryError> {
    view(&mut store.begin_read().await?, person, at).await
}

/// The persons whom an index finds: by login, or by the directory's own id. Without both: nobody.
///
/// # Errors
/// The database failed.
pub async fn find_users(
    store: &Store,
    (login, external): (Option<&Login>, Option<&Phi<String>>),
    at: Timestamp,
) -> Result<Vec<UserView>, DirectoryError> {
    let mut tx = store.begin_read().await?;
    let mut found = Vec::new();
    if let Some(login) = login
        && let Some(person) = find_person_by_login(&mut tx, login).await?
    {
        found.extend(view(&mut tx, person.id, at).await?);
    }
    if let Some(external) = external {
        for record in find_directory_by_external_id(&mut tx, external).await? {
            found.push(complete(&mut tx, record, at).await?);
        }
    }
    Ok(found)
}

/// Who is in the directory, one page after a person. Shorter than the limit of a page: it is the last.
///
/// # Errors
/// The database failed.
pub async fn page_of_users(
    store: &Store,
    after: Option<Id<Person>>,
    limit: i64,
    at: Timestamp,
) -> Result<Vec<UserView>, DirectoryError> {
    let mut tx = store.begin_read().await?;
    let mut page = Vec::new();
    for record in list_directory(&mut tx, after, limit).await? {
        page.push(complete(&mut tx, record, at).await?);
    }
    Ok(page)
}

/// How many are in the directory.
///
/// # Errors
/// The database failed.
pub async fn count_users(store: &Store) -> Result<i64, DirectoryError> {
    Ok(scruple_store::count_directory(&mut store.begin_read().await?).await?)
}

/// A group of the directory.
///
/// # Errors
/// The database failed.
pub async fn find_group(store: &Store, id: Id<Group>) -> Result<Option<GroupView>, DirectoryError> {
    let mut tx = store.begin_read().await?;
    match scruple_store::find_group(&mut tx, id).await? {
        Some(group) => Ok(Some(GroupView { members: members(&mut tx, id).await?, group })),
        None => Ok(None),
    }
}

/// The groups that an index finds: by what they are called in any case, or by the directory's own id.
///
/// # Errors
/// The database failed.
pub async fn find_groups(
    store: &Store,
    (display, external): (Option<&Phi<String>>, Option<&Phi<String>>),
) -> Result<Vec<GroupView>, DirectoryError> {
    let mut tx = store.begin_read().await?;
    let mut groups = Vec::new();
    if let Some(display) = display {
        groups.extend(scruple_store::find_groups_by_display(&mut tx, display).await?);
    }
    if let Some(external) = external {
        groups.extend(scruple_store::find_groups_by_external_id(&mut tx, external).await?);
    }
    with_members(&mut tx, groups).await
}

/// Groups, one page after a group. Shorter than the limit of a page: it is the last.
///
/// # Errors
/// The database failed.
pub async fn page_of_groups(
    store: &Store,
    after: Option<Id<Group>>,
    limit: i64,
) -> Result<Vec<GroupView>, DirectoryError> {
    let mut tx = store.begin_read().await?;
    let groups = list_groups(&mut tx, after, limit).await?;
    with_members(&mut tx, groups).await
}

/// How many groups there are.
///
/// # Errors
/// The database failed.
pub async fn count_groups(store: &Store) -> Result<i64, DirectoryError> {
    Ok(scruple_store::count_groups(&mut store.begin_read().await?).await?)
}

async fn with_members(tx: &mut Tx, groups: Vec<Group>) -> Result<Vec<GroupView>, DirectoryError> {
    let mut views = Vec::with_capacity(groups.len());
    for group in groups {
        views.push(GroupView { members: members(tx, group.id).await?, group });
    }
    Ok(views)
}

/// Where a page of [`page_of_users`] begins that leaves out so many: after nobody, or after whom. `None`: there are no more.
///
/// # Errors
/// The database failed.
pub async fn place_of_users(store: &Store, skip: i64) -> Result<Option<Option<Id<Person>>>, DirectoryError> {
    if skip <= 0 {
        return Ok(Some(None));
    }
    let before = scruple_store::directory_place(&mut store.begin_read().await?, skip.saturating_sub(1)).await?;
    Ok(before.map(Some))
}

/// Where a page of [`page_of_groups`] begins that leaves out so many, as [`place_of_users`] tells.
///
/// # Errors
/// The database failed.
pub async fn place_of_groups(store: &Store, skip: i64) -> Result<Option<Option<Id<Group>>>, DirectoryError> {
    if skip <= 0 {
        return Ok(Some(None));
    }
    let before = scruple_store::group_place(&mut store.begin_read().await?, skip.saturating_sub(1)).await?;
    Ok(before.map(Some))
}
