//! What would be left of a file.

use std::collections::BTreeSet;

/// What a disk writes at once, in bytes.
const SECTOR_BYTES: usize = 512;

/// A file as programs see it, and as it stands on the platter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct File {
    /// What programs read.
    cache: Vec<u8>,
    /// What is there after a power loss, if nothing else is.
    platter: Vec<u8>,
    /// Sectors that were written since the last sync.
    dirty: BTreeSet<usize>,
    /// Sectors whose sync failed: no later one writes them.
    lost: BTreeSet<usize>,
    /// Whether programs see its name.
    pub(crate) exists: bool,
    /// Whether the platter has its name.
    pub(crate) named: bool,
}

impl File {
    /// One that stands as it is on the platter.
    pub(crate) fn settled(content: Vec<u8>, named: bool) -> Self {
        Self {
            platter: content.clone(),
            cache: content,
            exists: true,
            named,
            ..Self::default()
        }
    }

    pub(crate) fn holds(&self, content: &[u8]) -> bool {
        self.exists && self.cache == content
    }

    /// Whether programs read what no sync will write.
    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    pub(crate) fn write(&mut self, at: usize, data: &[u8]) {
        let end = at + data.len();
        // What lies between the old end and the new data is zeros, and they are new too.
        let from = at.min(self.cache.len());
        if self.cache.len() < end {
            self.cache.resize(end, 0);
        }
        self.cache[at..end].copy_from_slice(data);
        self.touch(from, end);
    }

    pub(crate) fn truncate(&mut self, size: usize) {
        self.cache.resize(size, 0);
        let end = size.div_ceil(SECTOR_BYTES);
        self.dirty.split_off(&end);
        self.lost.split_off(&end);
        if !size.is_multiple_of(SECTOR_BYTES) {
            self.touch(size - 1, size);
        }
    }

    fn touch(&mut self, from: usize, to: usize) {
        for sector in from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES) {
            self.lost.remove(&sector);
            self.dirty.insert(sector);
        }
    }

    pub(crate) fn sync(&mut self) {
        self.platter.resize(self.cache.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            Self::copy(sector, &self.cache, &mut self.platter);
        }
    }

    pub(crate) fn fail_sync(&mut self) {
        self.lost.append(&mut self.dirty);
    }

    /// Somebody has written all of it again, and synced it.
    pub(crate) fn settle(&mut self) {
        self.dirty.clear();
        self.lost.clear();
        self.platter.clone_from(&self.cache);
    }

    /// Its name goes. `true`: the platter has forgotten it too.
    pub(crate) fn delete(&mut self) -> bool {
        self.exists = false;
        self.cache.clear();
        self.dirty.clear();
        self.lost.clear();
        !self.named
    }

    /// Its folder was synced. `true`: there is nothing left of it.
    pub(crate) fn name(&mut self) -> bool {
        self.named = self.exists;
        !self.exists
    }

    /// What is left of it; `None`: not even its name. `coin` says of each thing that was not synced whether
    /// it reached the platter all the same.
    pub(crate) fn after_power_loss(&self, mut coin: impl FnMut() -> bool) -> Option<Vec<u8>> {
        let named = if coin() { self.exists } else { self.named };
        let mut left = self.platter.clone();
        if self.exists {
            if self.cache.len() < left.len() && coin() {
                left.truncate(self.cache.len());
            }
            for sector in &self.dirty {
                if coin() {
                    let end = ((sector + 1) * SECTOR_BYTES).min(self.cache.len());
                    left.resize(left.len().max(end), 0);
                    Self::copy(*sector, &self.cache, &mut left);
                }
            }
        }
        named.then_some(left)
    }

    fn copy(sector: usize, from: &[u8], to: &mut [u8]) {
        let start = sector * SECTOR_BYTES;
        let end = (start + SECTOR_BYTES).min(from.len());
        to[start..end].copy_from_slice(&from[start..end]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unlucky(file: &File) -> Vec<u8> {
        file.after_power_loss(|| false).unwrap()
    }

    fn lucky(file: &File) -> Vec<u8> {
        file.after_power_loss(|| true).unwrap()
    }

    #[test]
    fn what_is_not_synced_may_be_lost_and_may_be_there() {
        let mut file = File::settled(vec![1; 600], true);
        file.write(100, &[2; 1000]);
        assert_eq!(unlucky(&file), vec![1; 600]);
        assert_eq!(lucky(&file), [vec![1; 100], vec![2; 1000]].concat());
        file.sync();
        assert_eq!(unlucky(&file), [vec![1; 100], vec![2; 1000]].concat());
    }

    #[test]
    fn sectors_are_lost_one_by_one() {
        let mut file = File::settled(vec![1; 1536], true);
        file.write(0, &[2; 1536]);
        let mut tosses = [false, true, false, true].into_iter();
        let left = file.after_power_loss(|| tosses.next().unwrap()).unwrap();
        assert_eq!(left, [vec![2; 512], vec![1; 512], vec![2; 512]].concat());
    }

    #[test]
    fn what_a_failed_sync_lost_no_later_one_writes() {
        let mut file = File::settled(vec![1; 512], true);
        file.write(512, &[2; 512]);
        file.fail_sync();
        assert!(file.has_lost());
        file.write(1024, &[3; 512]);
        file.sync();
        let hole = [vec![1; 512], vec![0; 512], vec![3; 512]].concat();
        assert_eq!(unlucky(&file), hole);
        file.write(512, &[2; 512]);
        file.sync();
        assert!(!file.has_lost());
        assert_eq!(unlucky(&file)[512], 2, "written again, it is synced");
    }

    #[test]
    fn a_truncation_is_undone_until_it_is_synced() {
        let mut file = File::settled(vec![1; 2000], true);
        file.truncate(10);
        assert_eq!(unlucky(&file).len(), 2000);
        assert_eq!(lucky(&file), vec![1; 10]);
        file.write(600, &[2]);
        file.sync();
        let grown = [vec![1; 10], vec![0; 590], vec![2]].concat();
        assert_eq!(unlucky(&file), grown, "nothing of the old end shows");
    }

    #[test]
    fn a_name_comes_and_goes_with_its_folder() {
        let mut file = File::settled(vec![1], false);
        assert_eq!(file.after_power_loss(|| false), None);
        assert!(!file.name());
        assert!(!file.delete(), "the platter still has it");
        assert_eq!(file.after_power_loss(|| false), Some(vec![1]));
        assert_eq!(file.after_power_loss(|| true), None);
        assert!(file.name(), "now it is gone");
    }
}
