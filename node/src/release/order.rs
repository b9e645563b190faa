//! The order in which a person looks at a study: series by series, each from its middle outwards.

/// Places `0..length` from the middle outwards: the organ asked about is seldom at an end.
pub(crate) fn outwards(length: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(length);
    let middle = length / 2;
    order.extend((middle < length).then_some(middle));
    for step in 1..=middle {
        order.push(middle - step);
        order.extend((middle + step < length).then_some(middle + step));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::outwards;

    #[test]
    fn each_place_once_from_the_middle() {
        assert_eq!(outwards(0), Vec::<usize>::new());
        assert_eq!(outwards(1), [0]);
        assert_eq!(outwards(2), [1, 0]);
        assert_eq!(outwards(5), [2, 1, 3, 0, 4]);
        for length in 0..50 {
            let mut all = outwards(length);
            all.sort_unstable();
            assert_eq!(all, (0..length).collect::<Vec<_>>());
        }
    }
}
