//! What a verification costs, counted: how often each file is read and listed, however long the
//! log.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::world::{Files, World};
use super::*;

/// An archive that counts.
struct Counted {
    files: Files,
    reads: RefCell<BTreeMap<String, u32>>,
    copies: Cell<u32>,
}

impl Source for Counted {
    fn paths(&self) -> Vec<String> {
        self.copies.set(self.copies.get() + 1);
        self.files.paths()
    }

    fn each_path(&self, see: &mut dyn FnMut(&str)) {
        self.files.each_path(see);
    }

    fn read(&self, path: &str, max: u64) -> Result<Vec<u8>, ReadError> {
        *self.reads.borrow_mut().entry(path.to_owned()).or_default() += 1;
        Source::read(&self.files, path, max)
    }
}

#[test]
fn a_bundle_is_read_once_for_the_list_and_once_for_the_tree() {
    let mut world = World::new();
    world.whole_case();
    for _ in 0..600 {
        world.idle(true);
    }
    world.whole_case();
    let source = Counted {
        files: world.archive(true),
        reads: RefCell::default(),
        copies: Cell::default(),
    };
    let input = Input {
        label: "counted",
        source: &source,
    };
    let found = verify(&[input], Options::default());
    assert!(found.holds(), "{}", describe(&found));
    assert_eq!(source.copies.get(), 0, "no list of all paths is made");
    let mut bundles = 0;
    for (path, reads) in source.reads.borrow().iter() {
        if path.starts_with("log/tile/entries/") {
            assert_eq!(*reads, 2, "{path}");
            bundles += 1;
        }
        assert!(*reads <= 4, "{path}: {reads}");
    }
    assert_eq!(bundles, 3);
}
