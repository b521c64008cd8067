-- An audit table of tracevault, with its indexes. Safe to run again: what is there stays as it is.
--   psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f sql/001_init_audit_logs.sql
-- On a table made by Tracevault for Node it adds what is missing. Adding the three generated columns to a table with
-- rows in it rewrites the table under an exclusive lock. It opens no transaction of its own: a migration tool may.

CREATE TABLE IF NOT EXISTS "audit_logs" (
    id             UUID        PRIMARY KEY,
    event          VARCHAR     NOT NULL,
    actor_id       VARCHAR,
    actor_type     VARCHAR,
    target_id      VARCHAR,
    target_type    VARCHAR,
    data           JSONB,
    meta           JSONB,
    mode           VARCHAR     NOT NULL,
    occurred_at    TIMESTAMPTZ NOT NULL,
    created_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    correlation_id VARCHAR,
    request_id     VARCHAR,
    environment    VARCHAR
);

-- Read from data, so that failures can be found by an index; cut at their length rather than failing the insert.
ALTER TABLE "audit_logs"
    ADD COLUMN IF NOT EXISTS outcome VARCHAR(64) GENERATED ALWAYS AS
        (nullif(left(btrim(data ->> 'outcome', E' \t\n\r'), 64), '')) STORED,
    ADD COLUMN IF NOT EXISTS error_code VARCHAR(255) GENERATED ALWAYS AS
        (nullif(left(btrim(data #>> '{error,code}', E' \t\n\r'), 255), '')) STORED,
    ADD COLUMN IF NOT EXISTS severity VARCHAR(32) GENERATED ALWAYS AS
        (nullif(left(btrim(data ->> 'severity', E' \t\n\r'), 32), '')) STORED;

CREATE INDEX IF NOT EXISTS "idx_audit_logs_event" ON "audit_logs" (event);
CREATE INDEX IF NOT EXISTS "idx_audit_logs_actor" ON "audit_logs" (actor_id, actor_type);
CREATE INDEX IF NOT EXISTS "idx_audit_logs_target" ON "audit_logs" (target_id, target_type);
CREATE INDEX IF NOT EXISTS "idx_audit_logs_occurred_at" ON "audit_logs" (occurred_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS "idx_audit_logs_correlation_id" ON "audit_logs" (correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS "idx_audit_logs_request_id" ON "audit_logs" (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS "idx_audit_logs_error_code" ON "audit_logs" (error_code) WHERE error_code IS NOT NULL;
CREATE INDEX IF NOT EXISTS "idx_audit_logs_errors" ON "audit_logs" (occurred_at DESC, id DESC) WHERE outcome = 'failure' OR severity IN ('error', 'critical', 'fatal');

-- The version of this shape, for tracevault to read when it connects. A comment of somebody else's is left alone.
DO $$
BEGIN
    IF obj_description('"audit_logs"'::regclass, 'pg_class') IS NULL THEN
        COMMENT ON TABLE "audit_logs" IS 'tracevault audit table, schema version 1';
    END IF;
END
$$;
