use super::*;

/// So many lanes there may be.
const MOST: usize = 3;

/// Has `statements` wait, of so many bytes each. Nobody listens for their answers.
fn wait(state: &mut State, kind: Kind, statements: usize, bytes: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..statements {
        let (reply, answer) = oneshot::channel();
        let mut parameters = Parameters::NONE;
        parameters.add(vec![0_u8; bytes]).unwrap();
        let number = state.next;
        state.next += 1;
        state.queue(kind).push_back(Job { number, statement: Statement { sql: "", parameters }, reply });
        answers.push(answer);
    }
    answers
}

type Answer = oneshot::Receiver<Result<Vec<Row>, Setback>>;

#[test]
fn one_lane_serves_a_kind_until_a_crowd_waits() {
    for kind in [Kind::Lookup, Kind::Change] {
        let mut state = State::default();
        let _answers = wait(&mut state, kind, 1, 0);
        assert_eq!(state.dispatch(MOST), [kind]);
        let _more = wait(&mut state, kind, CROWD - 2, 0);
        assert_eq!(state.dispatch(MOST), []);
        let _crowd = wait(&mut state, kind, 1, 0);
        assert_eq!(state.dispatch(MOST), [kind]);
        let _many = wait(&mut state, kind, 10 * CROWD, 0);
        assert_eq!(state.dispatch(MOST), [kind], "there are no more lanes");
    }
}

#[test]
fn what_is_run_alone_has_a_lane_for_each() {
    let mut state = State::default();
    let _answers = wait(&mut state, Kind::Alone, 2, 0);
    assert_eq!(state.dispatch(MOST), [Kind::Alone; 2]);
    assert_eq!(state.take(Kind::Alone).len(), 1);
}

#[test]
fn a_lane_without_work_is_told_before_another_is_begun() {
    let mut state = State { lanes: 1, ..State::default() };
    let (gone, (tell, mut told)) = (oneshot::channel().0, oneshot::channel());
    state.idle.extend([tell, gone]);
    let _answers = wait(&mut state, Kind::Change, 1, 0);
    assert_eq!(state.dispatch(MOST), []);
    assert_eq!(told.try_recv(), Ok(Kind::Change));
    assert!(state.idle.is_empty());
}

#[test]
fn a_group_has_its_bounds() {
    let mut state = State::default();
    let _answers = wait(&mut state, Kind::Change, MAX_GROUP + 1, 1);
    assert_eq!(state.take(Kind::Change).len(), MAX_GROUP);
    assert_eq!(state.take(Kind::Change).len(), 1);
    // Too long for any group, it goes all the same.
    let _long = wait(&mut state, Kind::Change, 2, MAX_BYTES + 1);
    assert_eq!(state.take(Kind::Change).len(), 1);
    assert_eq!(state.take(Kind::Change).len(), 1);
    assert!(state.take(Kind::Change).is_empty());
}

#[test]
fn a_lookup_that_nobody_waits_for_is_not_made_and_a_change_is() {
    for (kind, made) in [(Kind::Lookup, 0), (Kind::Change, 1)] {
        let mut state = State::default();
        drop(wait(&mut state, kind, 1, 0));
        assert_eq!(state.take(kind).len(), made);
    }
}
