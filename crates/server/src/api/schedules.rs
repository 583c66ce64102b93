//! `/schedules`: what can be said of a schedule before anything uses it.

use axum::Json;
use axum::extract::State;

use super::caller::Caller;
use super::input;
use super::problem::Problem;
use super::shapes::{NewPreview, Preview, Time};
use super::state::ApiState;

/// Preview a schedule
///
/// When it runs next, in plain English too, and what a person should know about it, such as what changes
/// of the clocks do to it. It changes nothing, so a read-only key may ask as well.
#[utoipa::path(post, path = "/schedules/preview", tag = "schedules", request_body = NewPreview,
    responses((status = 200, body = Preview)))]
pub(super) async fn preview_schedule(
    State(api): State<ApiState>,
    _caller: Caller,
    input::Json(asked): input::Json<NewPreview>,
) -> Result<Json<Preview>, Problem> {
    let count = asked.count.unwrap_or(NewPreview::COUNT_DEFAULT);
    if !(1..=NewPreview::COUNT_MAX).contains(&count) {
        let most = NewPreview::COUNT_MAX;
        return Err(Problem::field(
            "count",
            format!("{count} is outside 1 to {most}"),
        ));
    }
    let from = asked.from.map_or_else(|| api.now(), Time::micros);
    Ok(Json(Preview::new(
        asked.schedule,
        from.timestamp(),
        count as usize,
    )))
}
