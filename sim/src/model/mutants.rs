//! Mutants: the model store with one of its promises broken, to see that the checker notices. Each is a
//! mistake that a real store has made. Without the feature `mutants` none can be switched on.

use nightbeat_domain::Gap;

use super::outbox::NewDelivery;

/// Which promise is broken.
#[cfg_attr(
    not(feature = "mutants"),
    expect(unreachable_pub, reason = "the feature shows it")
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ModelMutant {
    /// A transition is committed first, its deliveries by a second transaction
    /// (`Model::commit_second_half`) that a crash may lose.
    SplitTransition,
    /// A judgement decides on states that were read earlier (`Model::elapse_read`), and only compares the
    /// phase as it writes (`Model::elapse_write`).
    StatusOnly,
    /// Gaps are noted, but no decision asks for them.
    NoGapLedger,
    /// A node that was lost leaves no gap.
    NoPartialGap,
    /// A node whose lease is void writes all the same.
    UnfencedLease,
    /// Gaps are entered after the decisions of their transaction.
    GapAfterDecision,
    /// Deliveries of one heartbeat and channel have no order.
    UpOvertakesDown,
    /// The same signal counts again.
    DuplicateCounts,
    /// A signal hides the deadline that passed before it.
    NoEarlierJudgement,
    /// A delivery is claimed while another claim of it holds.
    ClaimsTaken,
    /// A project's maintenance holds for all projects.
    SharedMaintenance,
    /// Who acknowledges an incident acknowledges those of all other projects too.
    SharedAcknowledgement,
}

/// The mutant that is on, if any.
#[derive(Debug, Default)]
pub(super) struct Mutant {
    #[cfg(feature = "mutants")]
    on: Option<ModelMutant>,
    /// Deliveries that wait for their second transaction.
    second_half: Vec<NewDelivery>,
}

impl Mutant {
    #[cfg(feature = "mutants")]
    fn is(&self, mutant: ModelMutant) -> bool {
        self.on == Some(mutant)
    }

    #[cfg(not(feature = "mutants"))]
    #[expect(clippy::unused_self, reason = "the feature looks at it")]
    fn is(&self, _: ModelMutant) -> bool {
        // One is told apart by its calls.
        let _ = ModelMutant::StatusOnly;
        false
    }

    pub(super) fn splits_transitions(&self) -> bool {
        self.is(ModelMutant::SplitTransition)
    }

    pub(super) fn hold_back(&mut self, delivery: NewDelivery) {
        self.second_half.push(delivery);
    }

    pub(super) fn keeps_no_ledger(&self) -> bool {
        self.is(ModelMutant::NoGapLedger)
    }

    pub(super) fn partial_gaps(&self, gaps: Vec<Gap>) -> Vec<Gap> {
        if self.is(ModelMutant::NoPartialGap) {
            return Vec::new();
        }
        gaps
    }

    pub(super) fn ignores_fence(&self) -> bool {
        self.is(ModelMutant::UnfencedLease)
    }

    pub(super) fn enters_gaps_late(&self) -> bool {
        self.is(ModelMutant::GapAfterDecision)
    }

    pub(super) fn lets_up_overtake(&self) -> bool {
        self.is(ModelMutant::UpOvertakesDown)
    }

    pub(super) fn forgets_nonces(&self) -> bool {
        self.is(ModelMutant::DuplicateCounts)
    }

    pub(super) fn claims_what_is_taken(&self) -> bool {
        self.is(ModelMutant::ClaimsTaken)
    }

    pub(super) fn shares_maintenance(&self) -> bool {
        self.is(ModelMutant::SharedMaintenance)
    }

    pub(super) fn shares_acknowledgements(&self) -> bool {
        self.is(ModelMutant::SharedAcknowledgement)
    }

    pub(super) fn never_judges_first(&self) -> bool {
        self.is(ModelMutant::NoEarlierJudgement)
    }
}

#[cfg(feature = "mutants")]
mod switched_on {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use nightbeat_domain::{HeartbeatId, State, Surroundings, UnixMicros, elapse};
    use nightbeat_store::Watched;
    use nightbeat_store::hot::{Done, Elapse};

    use super::ModelMutant;
    use crate::model::{Held, Model, Result};

    /// States as they were read by a transaction of its own.
    #[derive(Debug, Clone)]
    pub struct StaleStates(BTreeMap<HeartbeatId, State>);

    impl Model {
        /// Breaks a promise from now on; `None`: keeps them all.
        pub fn mutate(&mut self, mutant: Option<ModelMutant>) {
            self.mutant.on = mutant;
        }

        /// [`ModelMutant::SplitTransition`]: whether deliveries wait for their second transaction.
        pub fn has_second_half(&self) -> bool {
            !self.mutant.second_half.is_empty()
        }

        /// [`ModelMutant::SplitTransition`]: the second transaction.
        pub fn commit_second_half(&mut self) -> Result<()> {
            let deliveries = std::mem::take(&mut self.mutant.second_half);
            self.transaction(None, UnixMicros::MIN, |model| {
                deliveries
                    .into_iter()
                    .try_for_each(|delivery| model.add_delivery(delivery))
            })
        }

        /// [`ModelMutant::SplitTransition`]: a crash before the second transaction.
        pub fn lose_second_half(&mut self) {
            self.mutant.second_half.clear();
        }

        /// [`ModelMutant::StatusOnly`]: what a judgement will decide on.
        pub fn elapse_read(&self, due: &Elapse) -> StaleStates {
            let rows = due.heartbeats.iter();
            let found =
                rows.filter_map(|id| Some((*id, self.heartbeats.get(id)?.hot.state.clone())));
            StaleStates(found.collect())
        }

        /// [`ModelMutant::StatusOnly`]: decides on what was read, and writes where the phase is the same.
        pub fn elapse_write(
            &mut self,
            held: Option<Held>,
            due: &Elapse,
            read: &StaleStates,
        ) -> Result<Done> {
            self.judging(held, due);
            self.hot(held, &due.gaps, due.now, due.asof, |model, txn| {
                let asof = model.judge_to(held, due.asof);
                for (heartbeat, stale) in &read.0 {
                    let heartbeat = *heartbeat;
                    let Some(row) = model.heartbeats.get(&heartbeat) else {
                        continue;
                    };
                    let is_due = stale.wake_at.is_some_and(|at| at <= asof);
                    if is_due && row.hot.state.phase == stale.phase {
                        let maintenance = model.maintenance(row.project);
                        let ledger = Arc::clone(&model.ledger);
                        let settings = Arc::clone(&row.hot.settings);
                        let around = Surroundings {
                            gaps: &ledger,
                            maintenance: &maintenance,
                        };
                        let mut state = stale.clone();
                        let effects = elapse(heartbeat, &settings, &mut state, around, asof);
                        if let Some(hot) = model.change(txn, heartbeat) {
                            // As `UPDATE … SET status = 'down' WHERE status = 'up'` leaves the rest.
                            hot.state.phase = state.phase;
                            hot.state.incident = state.incident;
                            hot.state.incidents = state.incidents;
                            hot.state.alerts = state.alerts;
                            hot.state.wake_at = state.wake_at;
                        }
                        model.carry_out(txn, heartbeat, &effects)?;
                    }
                    let wake_at = model.heartbeats[&heartbeat].hot.state.wake_at;
                    txn.done.watched.push(Watched { heartbeat, wake_at });
                }
                Ok(())
            })
        }
    }
}

#[cfg(feature = "mutants")]
pub use switched_on::StaleStates;
