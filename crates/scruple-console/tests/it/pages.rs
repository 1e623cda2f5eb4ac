//! Headers, methods, links and pages for what goes wrong.

use crate::support::{Console, Page};
use http::{Method, StatusCode};
use scraper::Html;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const PAGES: &[&str] = &["/", "/lens", "/samples", "/nowhere", "/lens?record=99", "/lens?role=%3Cb%3E"];

#[tokio::test]
async fn every_answer_carries_the_headers() {
    let console = Console::open();
    for path in PAGES {
        let answer = console.get(path).await;
        assert_eq!(answer.header("content-security-policy"), CSP, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    }
}

#[tokio::test]
async fn the_style_sheet_is_kept_for_good_under_its_hash() {
    let console = Console::open();
    let page = console.page("/samples").await;
    let path = page.all("link[rel=stylesheet]")[0].attr("href").unwrap().to_owned();
    let answer = console.get(&path).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(answer.header("content-type"), "text/css; charset=utf-8");
    assert!(!answer.body.contains("@import") && !answer.body.contains("http:") && !answer.body.contains("url("));
    assert_eq!(console.get("/assets/console.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_script_is_kept_too_and_reads_nothing_of_elsewhere() {
    let console = Console::open();
    let answer = console.samples("/samples/sign-in/4").await;
    let page = Page(Html::parse_document(&answer.body));
    let path = page.all("script[src]")[0].attr("src").unwrap().to_owned();
    let answer = console.get(&path).await;
    assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    for word in ["eval", "innerHTML", "http:", "https:", "fetch(", "XMLHttpRequest"] {
        assert!(!answer.body.contains(word), "{word}");
    }
}

#[tokio::test]
async fn samples_are_served_apart_from_the_console() {
    let console = Console::open();
    assert_eq!(console.get("/samples/today/1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(console.samples("/samples/today/1").await.header("content-security-policy"), CSP);
    for path in ["/samples/today/0", "/samples/today/99", "/samples/nothing/1"] {
        assert_eq!(console.samples(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn head_answers_as_get_does_without_a_body() {
    let console = Console::open();
    for path in ["/samples", "/nowhere", "/lens?record=99"] {
        let (get, head) = (console.get(path).await, console.ask(Method::HEAD, path).await);
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-security-policy"), CSP);
    }
}

#[tokio::test]
async fn what_is_not_read_is_refused() {
    let console = Console::open();
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = console.ask(method, "/lens").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(answer.body.contains("This page is not opened that way"));
        assert_eq!(answer.header("content-security-policy"), CSP);
    }
}

#[tokio::test]
async fn every_link_of_every_page_leads_somewhere() {
    let console = Console::open();
    for path in ["/lens", "/samples", "/nowhere"] {
        let answer = console.get(path).await;
        let page = Page(Html::parse_document(&answer.body));
        let mut hrefs: Vec<&str> =
            page.all("a[href], link[rel=stylesheet]").iter().filter_map(|a| a.attr("href")).collect();
        hrefs.sort_unstable();
        hrefs.dedup();
        for href in hrefs.iter().filter(|href| !href.starts_with('#')) {
            assert!(href.starts_with('/') && !href.starts_with("//"), "{href} stays here");
            assert_eq!(console.get(href).await.status, StatusCode::OK, "{path} -> {href}");
        }
    }
}

#[tokio::test]
async fn bad_questions_get_a_sentence_a_way_out_and_no_echo() {
    let console = Console::open();
    let long = "9".repeat(400);
    let cases = [
        ("record=6", "There is no such record"),
        ("record=-1", "There is no such record"),
        ("record=", "There is no such record"),
        ("record=1e3", "There is no such record"),
        (&format!("record={long}"), "There is no such record"),
        ("item=99999", "There is no such record"),
        ("role=nobody", "There is no such role"),
        ("role=%3Cscript%3Ealert(1)%3C/script%3E", "There is no such role"),
        ("role=biller&purpose=TREAT", "The role does not act for this purpose"),
        ("role=biller&purpose=%22%3E%3Cimg%20src=x%3E", "The role does not act for this purpose"),
        ("role=nurse&purpose=BTG", "Emergency access is not given here"),
        ("purpose=TREAT", "The link cannot be read"),
        ("purpose2=TREAT", "The link cannot be read"),
        ("record=0&record=1", "The link cannot be read"),
        ("patient=pat-0001", "The link cannot be read"),
        ("as=biller.HPAYMT&role=nurse", "The link cannot be read"),
        ("as=nobody.HPAYMT", "There is no such role"),
        ("as=", "There is no such role"),
        ("as=biller.HPAYMT&and=biller", "The role does not act for this purpose"),
        ("%ff=1", "The link cannot be read"),
        ("=", "The link cannot be read"),
    ];
    for (query, sentence) in cases {
        let answer = console.get(&format!("/lens?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let page = Page(Html::parse_document(&answer.body));
        assert_eq!(page.texts("h1"), [sentence], "{query}");
        assert_eq!(console.get(&page.link("Open the Lens")).await.status, StatusCode::OK);
        for given in ["nobody", "alert", "img src", "pat-0001", "99999"] {
            assert!(!answer.body.contains(given), "{query} is repeated");
        }
    }
}

/// A page with made-up values.
async fn sample(path: &str) -> Page {
    let answer = Console::open().samples(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}");
    Page(Html::parse_document(&answer.body))
}

#[tokio::test]
async fn a_report_tells_a_list_apart_and_says_one_minute_once() {
    let page = sample("/samples/chart-report/1").await;
    let told = page.texts("td[data-label='What and when']");
    assert!(told[0].contains("3 March, 07:10 to 9 March, 18:40"), "{told:?}");
    assert!(told[0].ends_with("Had you once in a list of 46 patients. 3 March, 07:10"), "{told:?}");
    let text = page.texts("article").join(" ");
    assert!(text.contains("it may have been a part") && text.contains("Our records begin later than that"), "{text}");
    let nobody = sample("/samples/chart-report/5").await.texts("article").join(" ");
    assert!(nobody.contains("Nobody opened your record in that time"), "{nobody}");
}

#[tokio::test]
async fn a_history_says_what_was_done_and_why_no_case_can_be_opened_about_a_stranger() {
    let page = sample("/samples/chart-history/1").await;
    let people = page.texts("ul.people > li");
    let (known, stranger) = (&people[0], &people[2]);
    assert!(known.contains("Did, as the log calls it: Vaccinations."), "{known}");
    assert!(known.contains("(2 in a list of several patients, 1 showed nothing)"), "{known}");
    assert!(known.contains("Somebody complains") && !known.contains("nobody here has this login"), "{known}");
    assert!(!stranger.contains("Somebody complains") && stranger.contains("nobody here has this login"), "{stranger}");
    // Whom the record system does not know nobody writes to.
    let report = |page: &Page| page.all("a[href$='/report']").len();
    assert_eq!((report(&page), report(&sample("/samples/chart-history/5").await)), (1, 0));
}

#[tokio::test]
async fn a_case_that_nobody_complained_of_is_not_called_a_complaint() {
    let page = sample("/samples/case/11").await;
    assert_eq!(page.texts("h2.first"), ["What it is about"]);
    assert_eq!(page.texts("label[for=letter]"), ["To the patient"]);
    let main = page.texts("main").join(" ").to_lowercase();
    assert!(!main.contains("complain"), "{main}");
    assert_eq!(sample("/samples/case/1").await.texts("h2.first"), ["The complaint"]);
    // Nor is it opened as one from a history that nobody complained about.
    let history = sample("/samples/chart-history/7").await.texts("main").join(" ").to_lowercase();
    assert!(history.contains("look into this") && !history.contains("complain"), "{history}");
}

#[tokio::test]
async fn the_print_of_a_role_is_its_table_without_the_place_of_each_rule() {
    let page = sample("/samples/role/1").await;
    let titles: Vec<&str> = page.all("table.matrix abbr").iter().filter_map(|one| one.attr("title")).collect();
    assert!(titles.contains(&"id_name") && !titles.iter().any(|title| title.contains(".toml")), "{titles:?}");
    let places = page.texts("table.matrix small.unprinted");
    assert_eq!(places.first().map(String::as_str), Some("roles/nurse.toml:12"));
    let style = page.all("link[rel=stylesheet]")[0].attr("href").unwrap().to_owned();
    let style = Console::open().get(&style).await.body;
    let (_, print) = style.split_once("@media print").unwrap();
    assert!(print.contains(".matrix abbr[title]::after") && print.contains(".unprinted"), "codes stay off the paper");
}

#[tokio::test]
async fn whether_roles_fit_is_told_in_words_for_people() {
    let page = sample("/samples/roles-fit/1").await;
    assert_eq!(page.all("table.named").len(), 1, "the column of roles has its width");
    let main = page.texts("main").join(" ");
    assert!(main.contains("1 access") && !main.contains("1 accesses"), "{main}");
    assert!(!main.contains("Cedar") && !main.contains("cells"), "{main}");
    let roles = sample("/samples/roles/1").await;
    assert_eq!(roles.all("form[role=search] input[name=q]").len(), 1);
    assert_eq!(roles.texts("th[aria-sort=ascending]"), ["Role ↑"]);
}
