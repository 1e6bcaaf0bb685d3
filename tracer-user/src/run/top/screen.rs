//! The thread that draws, and reads keys.

use std::time::{Duration, Instant};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use ratatui::{Terminal, backend::CrosstermBackend, layout::Size};
use tracer_core::top::{Action, Key, Look, View};

use super::{Shared, keys::Keyboard};
use crate::{
    host::clock::boot_ns,
    output::screen::{self, Picture, Screen},
};

/// How often it is drawn at most, but for keys; and how soon the end of the run is noticed.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long what does not change is left as it is: ages go on.
const UNCHANGED: Duration = Duration::from_secs(1);
/// The part of the time that drawing takes at most: one of so many.
const SHARE: u32 = 30;

/// Draws until somebody has seen enough, or the run is over. However it ends, the run is asked to.
pub fn run(screen: Screen, shared: &Shared, look: Look) -> anyhow::Result<()> {
    let _end = AskForEnd {
        _screen: screen,
        shared,
    };
    let terminal = Terminal::new(CrosstermBackend::new(Picture::default()))?;
    let mut drawing = Drawing {
        shared,
        look,
        terminal,
        view: View::default(),
        changes: 0,
        messages: Vec::new(),
        drawn: None,
        size: Size::default(),
        next: Instant::now(),
    };
    let mut keyboard = Keyboard::new();
    drawing.refresh()?;
    while !shared.is_over() {
        for key in keyboard.keys(drawing.time_left())? {
            match drawing.on_key(key)? {
                Action::Quit => return Ok(()),
                Action::Draw | Action::Repaint => drawing.draw()?,
                Action::Nothing => {}
            }
        }
        if drawing.is_due() {
            drawing.refresh()?;
        }
    }
    Ok(())
}

/// Leaves the screen. If the run is not over, it is asked to end as Ctrl-C asks, so that it ends in order.
struct AskForEnd<'a> {
    _screen: Screen,
    shared: &'a Shared,
}

impl Drop for AskForEnd<'_> {
    fn drop(&mut self) {
        if !self.shared.is_over() {
            // A process can always signal itself.
            let _ = kill(Pid::this(), Signal::SIGINT);
        }
    }
}

struct Drawing<'a> {
    shared: &'a Shared,
    look: Look,
    terminal: Terminal<CrosstermBackend<Picture>>,
    view: View,
    /// What the model had gone through when it was drawn.
    changes: u64,
    /// What was said by then.
    messages: Vec<String>,
    drawn: Option<Instant>,
    /// How large the terminal was then.
    size: Size,
    /// When it may be drawn again.
    next: Instant,
}

impl Drawing<'_> {
    /// Whether there is something new, and it is time for it.
    fn is_due(&self) -> bool {
        if Instant::now() < self.next {
            return false;
        }
        let is_old = self.drawn.is_none_or(|drawn| drawn.elapsed() >= UNCHANGED);
        is_old
            || self.terminal.size().is_ok_and(|size| size != self.size)
            || self.shared.model().changes() != self.changes
    }

    /// How long to wait for a key. What has not changed when it could be drawn again is looked at later.
    fn time_left(&self) -> Duration {
        let left = self.next.saturating_duration_since(Instant::now());
        if left.is_zero() {
            INTERVAL
        } else {
            left.min(INTERVAL)
        }
    }

    /// Takes what is new, and draws it. The longer that takes, the longer until the next time.
    fn refresh(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let messages = screen::held();
        {
            let mut model = self.shared.model();
            model.keep_time(boot_ns());
            if messages != self.messages {
                model.say(&messages);
                self.messages = messages;
            }
            self.changes = model.changes();
            self.view.refresh(&model);
        }
        self.draw()?;
        let took = begun.elapsed();
        self.drawn = Some(begun);
        self.size = self.terminal.size()?;
        self.next = begun + INTERVAL.max(took * SHARE);
        Ok(())
    }

    /// The run does not wait for the terminal: what is locked is drawn into a buffer only.
    fn draw(&mut self) -> anyhow::Result<()> {
        let now_ns = boot_ns();
        self.terminal.draw(|frame| {
            let model = self.shared.model();
            self.view
                .draw(frame.buffer_mut(), &model, now_ns, self.look);
        })?;
        Ok(())
    }

    fn on_key(&mut self, key: Key) -> anyhow::Result<Action> {
        let action = self.view.on_key(key, &self.shared.model());
        if action == Action::Repaint {
            self.terminal.clear()?;
        }
        Ok(action)
    }
}
