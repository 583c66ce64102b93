//! The HTTP API under `/api/v1`, as `docs/api.md` describes it.
//!
//! One file per resource; what the wire sees of it stands in `shapes`. A request passes `caller` (whose
//! key is it, may it do that?), then `input` (JSON and queries, read strictly), then its handler, whose
//! answer is JSON or a problem document.

mod actor;
mod answer;
mod caller;
mod channels;
mod deliveries;
pub(crate) mod heartbeats;
mod incidents;
mod input;
pub(crate) mod inside;
mod keys;
mod maintenance;
mod names;
mod openapi;
mod problem;
mod project;
pub(crate) mod rate;
mod runs;
mod schedules;
mod settable;
mod shapes;
mod signals;
pub(crate) mod slug;
mod state;
pub(crate) mod text;
mod version;

use axum::Router;
use axum::middleware;
use axum::routing::get;
use http::request::Parts;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use actor::{Actor, Who};
pub(crate) use caller::{key_of, may_be_key, note_use};
pub(crate) use input::with_whole_numbers;
pub(crate) use problem::Problem;
pub use settable::{NotSettable, channel_name, is_slug, project_name, settable, slugify};
pub(crate) use shapes::{Change, Channels, HeartbeatEdit, Keywords, Schedule};
pub use shapes::{DESCRIPTION_CHARS_MAX, TAG_CHARS_MAX, TAGS_MAX};
pub use state::ApiState;
pub(crate) use state::{Refusal, Told};

/// The API, to be nested at `/api/v1`.
pub fn router(state: ApiState) -> Router {
    let (routes, document) = routes().split_for_parts();
    let document = openapi::text(&openapi::complete(document, &state.public_url));
    let guard = middleware::from_fn_with_state(state.clone(), caller::know);
    let all = Router::new()
        .merge(
            routes
                .fallback(problem::not_found)
                .method_not_allowed_fallback(problem::method_not_allowed)
                .layer(guard),
        )
        .merge(
            Router::new()
                .route(
                    "/openapi.json",
                    get(async move |head: Parts| {
                        rate::of_address(&head.extensions)?;
                        Ok::<_, Problem>(openapi::serve(&document))
                    }),
                )
                .method_not_allowed_fallback(problem::method_not_allowed),
        )
        .layer(middleware::map_response(answer::private))
        .with_state(state.clone());
    rate::measured(all, state)
}

/// Every route that needs a key, and its description.
fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(project::show_project, project::change_project))
        .routes(routes!(
            heartbeats::list_heartbeats,
            heartbeats::create_heartbeat
        ))
        .routes(routes!(
            heartbeats::show_heartbeat,
            heartbeats::change_heartbeat,
            heartbeats::delete_heartbeat
        ))
        .routes(routes!(heartbeats::pause_heartbeat))
        .routes(routes!(heartbeats::resume_heartbeat))
        .routes(routes!(signals::list_signals))
        .routes(routes!(runs::list_runs))
        .routes(routes!(incidents::list_incidents_of_heartbeat))
        .routes(routes!(incidents::list_incidents))
        .routes(routes!(incidents::show_incident))
        .routes(routes!(incidents::acknowledge_incident))
        .routes(routes!(incidents::snooze_incident))
        .routes(routes!(incidents::note_incident))
        .routes(routes!(channels::list_channels, channels::create_channel))
        .routes(routes!(
            channels::show_channel,
            channels::change_channel,
            channels::delete_channel
        ))
        .routes(routes!(channels::test_channel))
        .routes(routes!(channels::list_channel_kinds))
        .routes(routes!(channels::preview_channel))
        .routes(routes!(deliveries::list_deliveries))
        .routes(routes!(deliveries::show_delivery))
        .routes(routes!(deliveries::dismiss_delivery))
        .routes(routes!(
            maintenance::list_maintenance,
            maintenance::create_maintenance
        ))
        .routes(routes!(maintenance::delete_maintenance))
        .routes(routes!(keys::list_keys, keys::create_key))
        .routes(routes!(keys::delete_key))
        .routes(routes!(schedules::preview_schedule))
}
