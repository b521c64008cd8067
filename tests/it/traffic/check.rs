//! Everything that a range answers, beside plain SQL over the rows.

use tokio_postgres::types::ToSql;
use tracevault::{
    time::{Duration, OffsetDateTime},
    tokio_postgres,
    traffic::{ErrorsQuery, OverviewQuery, Range, RoutesQuery, UsersQuery},
};

use super::Site;

impl Site {
    async fn truth(
        &self,
        columns: &str,
        rest: &str,
        range: (OffsetDateTime, OffsetDateTime),
    ) -> Vec<tokio_postgres::Row> {
        let sql = format!(
            "SELECT {columns} FROM (SELECT *, coalesce(rollup_route, route) AS name FROM \"{}\" \
             WHERE started_at >= $1 AND started_at < $2) AS rows {rest}",
            self.name
        );
        let params: [&(dyn ToSql + Sync); 2] = [&range.0, &range.1];
        self.sql.query(&sql, &params).await.unwrap()
    }

    /// Compares all of it.
    pub async fn check(&self, from: OffsetDateTime, to: OffsetDateTime) {
        self.check_overview(from, to).await;
        self.check_lists(from, to).await;
    }

    async fn check_overview(&self, from: OffsetDateTime, to: OffsetDateTime) {
        const TOTALS: &str = "coalesce(sum(weight), 0)::bigint, coalesce(sum(weight) FILTER (WHERE is_slow), 0)::bigint, \
                              coalesce(sum(weight) FILTER (WHERE status_code >= 400), 0)::bigint, count(DISTINCT user_id), \
                              (sum(duration_us * weight) / 1000.0 / sum(weight))::float8";
        let range = Range::new(from, to).unwrap();
        let overview = self.traffic.overview(&OverviewQuery::new(range)).await.unwrap();
        let previous = overview.previous.as_ref().unwrap();
        for (when, got) in [
            (
                (from, to),
                (
                    overview.total_requests,
                    overview.slow_request_count,
                    overview.error_request_count,
                    overview.unique_users,
                    overview.average_duration_ms,
                ),
            ),
            (
                (from - (to - from), from),
                (
                    previous.total_requests,
                    previous.slow_request_count,
                    previous.error_request_count,
                    previous.unique_users,
                    previous.average_duration_ms,
                ),
            ),
        ] {
            let truth = &self.truth(TOTALS, "", when).await[0];
            assert_eq!(
                (got.0, got.1, got.2, got.3),
                (truth.get(0), truth.get(1), truth.get(2), truth.get(3)),
                "{when:?}"
            );
            let (mean, true_mean) = (got.4, truth.get::<_, Option<f64>>(4));
            assert!(mean.is_none() == true_mean.is_none(), "{mean:?} {true_mean:?}");
            assert!((mean.unwrap_or(1.0) / true_mean.unwrap_or(1.0) - 1.0).abs() < 1e-9, "{mean:?} {true_mean:?}");
        }
        let shares = [(0.5, overview.p50_ms), (0.95, overview.p95_ms), (0.99, overview.p99_ms)];
        for (share, got) in shares {
            let disc = format!("(percentile_disc({share}) WITHIN GROUP (ORDER BY duration_us))::bigint");
            let truth = &self.truth(&disc, ", generate_series(1, weight)", (from, to)).await[0];
            close(got, truth.get(0));
        }
        let truth = self.truth("status_code, sum(weight)::bigint", "GROUP BY 1 ORDER BY 1", (from, to)).await;
        let truth: Vec<(i16, i64)> = truth.iter().map(|row| (row.get(0), row.get(1))).collect();
        let got: Vec<_> = overview.status_code_summary.iter().map(|one| (one.status_code, one.count)).collect();
        assert_eq!(got, truth);

        let bucket = overview.range.bucket;
        let number = format!("floor(extract(epoch FROM started_at) / {bucket})::bigint");
        let columns = format!(
            "{number}, sum(weight)::bigint, coalesce(sum(weight) FILTER (WHERE status_code / 100 = 2), 0)::bigint, \
             coalesce(sum(weight) FILTER (WHERE status_code >= 500), 0)::bigint, \
             (percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us) FILTER (WHERE true))::bigint"
        );
        let truth = self.truth(&columns, "GROUP BY 1 ORDER BY 1", (from, to)).await;
        let got: Vec<_> = overview.requests_timeline.iter().filter(|bucket| bucket.count > 0).collect();
        assert_eq!(got.len(), truth.len());
        for (got, truth) in got.iter().zip(&truth) {
            let key = (got.at.unix_timestamp() / bucket, got.count, got.success, got.server_error);
            assert_eq!(key, (truth.get(0), truth.get(1), truth.get(2), truth.get(3)));
        }
        let week = "extract(isodow FROM started_at AT TIME ZONE 'UTC')::int, \
                    extract(hour FROM started_at AT TIME ZONE 'UTC')::int, sum(weight)::bigint";
        let mut cells = [[0_i64; 24]; 7];
        for row in self.truth(week, "GROUP BY 1, 2", (from, to)).await {
            let (day, hour): (i32, i32) = (row.get(0), row.get(1));
            cells[usize::try_from(day - 1).unwrap()][usize::try_from(hour).unwrap()] = row.get(2);
        }
        assert_eq!(overview.week_hours, cells);
        let truth = self.truth("id", "ORDER BY started_at DESC, id DESC LIMIT 10", (from, to)).await;
        let truth: Vec<i64> = truth.iter().map(|row| row.get(0)).collect();
        assert_eq!(overview.latest_requests.iter().map(|row| row.id).collect::<Vec<_>>(), truth);
        let top = "method || ' ' || name, sum(weight)::bigint";
        let truth = self.truth(top, "GROUP BY method, name ORDER BY 2 DESC, method, name LIMIT 10", (from, to)).await;
        let truth: Vec<(String, i64)> = truth.iter().map(|row| (row.get(0), row.get(1))).collect();
        let got: Vec<_> =
            overview.top_routes.iter().map(|one| (format!("{} {}", one.method, one.route), one.count)).collect();
        assert_eq!(got, truth);
        let slowest = "method || ' ' || name, (sum(duration_us * weight) / sum(weight))::float8";
        let truth =
            self.truth(slowest, "GROUP BY method, name ORDER BY 2 DESC, method, name LIMIT 10", (from, to)).await;
        let truth: Vec<String> = truth.iter().map(|row| row.get(0)).collect();
        let got: Vec<_> = overview.slowest_routes.iter().map(|one| format!("{} {}", one.method, one.route)).collect();
        assert_eq!(got, truth);
    }

    async fn check_lists(&self, from: OffsetDateTime, to: OffsetDateTime) {
        let range = Range::new(from, to).unwrap();
        let columns = "method, name, sum(weight)::bigint, max(duration_us), \
                       coalesce(sum(weight) FILTER (WHERE status_code >= 400), 0)::bigint, \
                       coalesce(sum(weight) FILTER (WHERE is_slow), 0)::bigint, max(started_at)";
        let truth = self.truth(columns, "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2", (from, to)).await;
        let routes = self.traffic.routes(&RoutesQuery::new(range)).await.unwrap();
        assert_eq!(routes.routes.len(), truth.len());
        for (got, truth) in routes.routes.iter().zip(&truth) {
            assert_eq!((&got.method, &got.route), (&truth.get(0), &truth.get(1)));
            let max_us: i64 = truth.get(3);
            assert!((got.max_ms * 1_000.0 - f64::from(u32::try_from(max_us).unwrap())).abs() < 0.5);
            let got_counts = (got.count, got.error_count, got.slow_count, got.last_seen);
            assert_eq!(got_counts, (truth.get(2), truth.get(4), truth.get(5), truth.get(6)));
            assert_eq!(got.spark.iter().sum::<i64>(), got.count, "{}", got.route);
            let disc = "(percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_us))::bigint";
            let filter =
                format!(", generate_series(1, weight) WHERE method = '{}' AND name = '{}'", got.method, got.route);
            close(got.p95_ms, self.truth(disc, &filter, (from, to)).await[0].get(0));
        }

        let columns = "coalesce(user_id, ''), sum(weight)::bigint, \
                       coalesce(sum(weight) FILTER (WHERE status_code >= 400), 0)::bigint, \
                       coalesce(sum(weight) FILTER (WHERE is_slow), 0)::bigint, max(started_at), max(user_name)";
        let truth = self.truth(columns, "GROUP BY 1 ORDER BY 2 DESC, 1", (from, to)).await;
        let users = self.traffic.users(&UsersQuery::new(range)).await.unwrap();
        assert_eq!(users.users.len(), truth.len());
        for (got, truth) in users.users.iter().zip(&truth) {
            let key =
                (got.user_id.clone().unwrap_or_default(), got.count, got.error_count, got.slow_count, got.last_seen);
            assert_eq!(key, (truth.get(0), truth.get(1), truth.get(2), truth.get(3), truth.get(4)));
            assert_eq!(got.user_name, truth.get(5));
        }

        let columns = "method, name, status_code, sum(weight)::bigint, min(started_at), max(started_at)";
        let rest = "WHERE status_code >= 400 GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3";
        let truth = self.truth(columns, rest, (from, to)).await;
        let mut query = ErrorsQuery::new(range);
        query.limit = 500;
        let errors = self.traffic.errors(&query).await.unwrap();
        assert_eq!(errors.groups.len(), truth.len());
        for (got, truth) in errors.groups.iter().zip(&truth) {
            assert_eq!((&got.method, &got.route), (&truth.get(0), &truth.get(1)));
            let key = (got.status_code, got.count, got.first_seen, got.last_seen);
            assert_eq!(key, (truth.get(2), truth.get(3), truth.get(4), truth.get(5)));
            assert_eq!(got.spark.iter().sum::<i64>(), got.count, "{}", got.route);
            assert_eq!(got.retryable, [408, 429, 500, 502, 503, 504].contains(&got.status_code));
        }
        let columns = "coalesce(sum(weight) FILTER (WHERE status_code BETWEEN 400 AND 498), 0)::bigint, \
                       coalesce(sum(weight) FILTER (WHERE status_code = 499), 0)::bigint, \
                       coalesce(sum(weight) FILTER (WHERE status_code >= 500), 0)::bigint";
        let truth = &self.truth(columns, "", (from, to)).await[0];
        let got = (errors.classes.client, errors.classes.aborted, errors.classes.server);
        assert_eq!(got, (truth.get(0), truth.get(1), truth.get(2)));
        let rest = "WHERE status_code >= 400 ORDER BY started_at DESC, id DESC LIMIT 500";
        let truth: Vec<i64> = self.truth("id", rest, (from, to)).await.iter().map(|row| row.get(0)).collect();
        assert_eq!(errors.latest.iter().map(|row| row.id).collect::<Vec<_>>(), truth);
    }

    /// The rollups themselves, for whole hours and days, beside the rows.
    pub async fn check_tables(&self) {
        for (rollup, unit, sum) in [
            ("total_1m", "minute", "sum(weight)"),
            ("total_1h", "hour", "sum(weight)"),
            ("route_1h", "hour", "sum(weight)"),
            ("status_1h", "hour", "sum(weight)"),
            ("user_1h", "hour", "sum(weight)"),
            ("error_1h", "hour", "sum(weight) FILTER (WHERE status_code >= 400)"),
            ("route_1d", "day", "sum(weight)"),
            ("status_1d", "day", "sum(weight)"),
            ("user_1d", "day", "sum(weight)"),
            ("error_1d", "day", "sum(weight) FILTER (WHERE status_code >= 400)"),
        ] {
            let level = ["minute", "hour", "day"].iter().position(|one| *one == unit).unwrap();
            let sql = format!(
                "SELECT count(*) FROM (SELECT at, sum(n) AS n FROM \"@_{rollup}\" GROUP BY 1) AS rolled \
                 FULL JOIN (SELECT date_trunc('{unit}', started_at, 'UTC') AS at, {sum} AS n FROM \"@\" GROUP BY 1) AS rows \
                 USING (at) WHERE coalesce(rolled.n, 0) <> coalesce(rows.n, 0) \
                 AND NOT EXISTS (SELECT FROM \"@_marks\" AS m WHERE m.level <= {level} AND date_trunc('{unit}', m.at, 'UTC') = at)"
            );
            assert_eq!(self.one::<i64>(&sql).await, 0, "{rollup}");
        }
        let bits = "SELECT coalesce(sum(bit_count(days::bit(32))), 0)::bigint FROM \"@_user_days\"";
        let seen = self.one::<i64>("SELECT count(*) FROM \"@_user_1d\" WHERE user_id <> ''").await;
        assert_eq!(self.one::<i64>(bits).await, seen, "days of users");
    }
}

/// Within the bound of the histogram.
fn close(got_ms: Option<f64>, truth_us: Option<i64>) {
    let (Some(got), Some(truth)) = (got_ms, truth_us) else {
        assert!(got_ms.is_none() && truth_us.is_none(), "{got_ms:?} {truth_us:?}");
        return;
    };
    let truth = f64::from(u32::try_from(truth).unwrap());
    let ratio = got * 1_000.0 / truth;
    assert!((0.955..=1.046).contains(&ratio), "{got} ms for {truth} us");
}

/// So long before now, at the begin of a minute.
pub fn ago(duration: Duration) -> OffsetDateTime {
    (OffsetDateTime::now_utc() - duration).replace_nanosecond(0).unwrap().replace_second(0).unwrap()
}
