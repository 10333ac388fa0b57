REVOKE SELECT ON __diesel_schema_migrations FROM accrue_service;
DROP TABLE program_version, idempotency, orders, lot, wallet, member_profile, member, posting, entry, journal, ledger;
DROP FUNCTION refuse_change();
-- The role belongs to the whole server: another database may still use it.
DO $$
BEGIN
    DROP ROLE accrue_service;
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
    NULL;
END
$$;
