//! What stands around the content of each page.

use maud::{DOCTYPE, Markup, html};

/// What differs from page to page.
pub(super) struct Frame<'a> {
    /// In the tab.
    pub(super) title: &'a str,
    pub(super) heading: Markup,
    /// In one sentence.
    pub(super) state: String,
    /// When it was true.
    pub(super) time: &'a str,
    /// Whether it is the page that leads to all others.
    pub(super) is_first: bool,
}

/// The whole document.
///
/// The sentence about the state is announced to those who do not see it when it changes; the rest is
/// shown anew without a word.
pub(super) fn document(frame: &Frame<'_>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (frame.title) " – xmpp-edge" }
                link rel="icon" href="/icon.svg";
                link rel="stylesheet" href="/page.css";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    @if !frame.is_first {
                        nav aria-label="Pages" { a href="/" { "← all partners" } }
                    }
                    h1 { (frame.heading) }
                    p #state role="status" { (frame.state) }
                }
                main #content tabindex="-1" { (content) }
                footer {
                    p {
                        "As of " time #time datetime=(frame.time) { (frame.time) } ". "
                        button #pause type="button" hidden { "Pause" }
                        span #by-hand { "Load the page again to see how it is then." }
                    }
                    nav aria-label="For machines" {
                        ul {
                            li { a href="/status" { "status as JSON" } }
                            li { a href="/metrics" { "metrics" } }
                            li { a href="/healthz" { "healthz" } }
                            li { a href="/readyz" { "readyz" } }
                        }
                    }
                }
            }
        }
    }
}
