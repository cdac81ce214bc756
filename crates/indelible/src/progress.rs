//! Progress on standard error, only on a terminal, only for what takes longer than two seconds.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is done sooner shows no bar.
const QUIET: Duration = Duration::from_secs(2);
/// How often the bar is drawn.
const REDRAW: Duration = Duration::from_millis(250);

/// A bar over `total` units, drawn once it has been there for [`QUIET`]; never when standard error is no terminal.
pub(crate) fn bar(total: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
    let template = format!("{{wide_bar}} {{human_pos}}/{{human_len}} {unit}  {{per_sec}}  {{eta}}");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    appear_after(&bar, QUIET, ProgressDrawTarget::stderr_with_hz(8));
    bar
}

/// Gives the bar something to draw on after a while, unless it was done or dropped meanwhile.
fn appear_after(bar: &ProgressBar, quiet: Duration, target: ProgressDrawTarget) {
    let weak = bar.downgrade();
    let waits = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
        std::thread::sleep(quiet);
        if let Some(bar) = weak.upgrade()
            && !bar.is_finished()
        {
            bar.set_draw_target(target);
            bar.enable_steady_tick(REDRAW);
        }
    });
    if let Err(error) = waits {
        tracing::debug!(%error, "no thread for the progress bar; it is not shown");
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;

    /// Remembers what is drawn on it.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _lines: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _lines: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _columns: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _columns: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_bar_appears_only_for_what_is_still_going_on() {
        let bar_on = |paper: &Paper| {
            let bar = ProgressBar::with_draw_target(Some(10), ProgressDrawTarget::hidden());
            let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
            appear_after(&bar, Duration::from_millis(20), target);
            bar.set_position(3);
            bar
        };
        let (quick, long) = (Paper::default(), Paper::default());
        bar_on(&quick).finish_and_clear();
        let bar = bar_on(&long);
        assert_eq!(long.0.lock().unwrap().as_str(), "");
        while !long.0.lock().unwrap().contains("3/10") {
            std::thread::sleep(Duration::from_millis(5));
        }
        bar.finish_and_clear();
        assert_eq!(quick.0.lock().unwrap().as_str(), "", "it was done before");
    }
}
