-- A long text fits no index.
CREATE INDEX ON {p}states (session_id);
CREATE INDEX ON {p}states (saved_at, user_id, session_id);
CREATE INDEX ON {p}states (version);
CREATE INDEX ON {p}states ((left(saved_by, 200) COLLATE "C"));
CREATE INDEX ON {p}states ((left(state_type, 200) COLLATE "C"));
CREATE INDEX ON {p}states ((left(provider, 200) COLLATE "C"));
CREATE INDEX ON {p}states ((left(model, 200) COLLATE "C"));
CREATE INDEX ON {p}states ((left(phase, 200) COLLATE "C"));

-- The paths that queries have indexes on.
CREATE TABLE {p}indexes (
  name text NOT NULL PRIMARY KEY,
  path text NOT NULL
);

-- A document as its values can be taken out of it. A text cannot hold a NUL here, and one such
-- character would have a query fail as a whole, as would half a pair of surrogates, which programs
-- that are not written in Rust leave. So each of the first four characters is written as one,
-- and two that tell which: texts keep their order and what they contain. Such a backslash has an
-- even number of others before it.
CREATE FUNCTION {p}queried(document json) RETURNS json
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  v_text text := document::text;
BEGIN
  IF strpos(v_text, '\u000') > 0 THEN
    v_text := regexp_replace(
      v_text, '(?<!\\)((?:\\\\)*)\\u000([0-3])', '\1' || chr(1) || '\2', 'g'
    );
    v_text := replace(v_text, chr(1) || '0', '\u0001\u0002\u0002');
    v_text := replace(v_text, chr(1) || '1', '\u0001\u0002\u0003');
    v_text := replace(v_text, chr(1) || '2', '\u0001\u0003\u0002');
    v_text := replace(v_text, chr(1) || '3', '\u0001\u0003\u0003');
  ELSIF v_text !~ '\\u[dD][89a-fA-F]' THEN
    RETURN document;
  END IF;
  IF v_text ~ '\\u[dD][89a-fA-F]' THEN
    -- Whole pairs are set aside, and what is left of surrogates is replaced.
    v_text := regexp_replace(
      v_text,
      '(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})',
      '\1' || chr(1) || '\2' || chr(1) || '\3', 'g'
    );
    v_text := regexp_replace(
      v_text, '(?<!\\)((?:\\\\)*)\\u[dD][89a-fA-F][0-9a-fA-F]{2}', '\1\\ufffd', 'g'
    );
    v_text := replace(v_text, chr(1), '\u');
  END IF;
  RETURN v_text::json;
END $$;

-- 0 of nothing, 1 null, 2 true or false, 3 a number, 4 a text, 5 an array, 6 an object
CREATE FUNCTION {p}query_kind(value json) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN CASE json_typeof(value)
    WHEN 'null' THEN 1 WHEN 'boolean' THEN 2 WHEN 'number' THEN 3 WHEN 'string' THEN 4
    WHEN 'array' THEN 5 WHEN 'object' THEN 6 ELSE 0
  END;
END $$;

CREATE FUNCTION {p}query_text(value json) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN CASE json_typeof(value) WHEN 'string' THEN value #>> '{}' ELSE '' END;
END $$;

-- 0 also of numbers that are too large or too small.
CREATE FUNCTION {p}query_number(value json) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_text text;
  v_exact numeric;
BEGIN
  IF json_typeof(value) = 'boolean' THEN
    RETURN CASE value::text WHEN 'true' THEN 1 ELSE 0 END;
  ELSIF json_typeof(value) IS DISTINCT FROM 'number' THEN
    RETURN 0;
  END IF;
  v_text := value #>> '{}';
  IF length(v_text) < 300 AND v_text !~ '[eE]' THEN
    RETURN v_text::double precision + 0;
  ELSIF length(v_text) > 1000 OR v_text ~ '[eE][-+]?[0-9]{4}' THEN
    RETURN 0;
  END IF;
  v_exact := abs(v_text::numeric);
  IF v_exact > 1.7976931348623157e308 OR v_exact < 5e-324 THEN
    RETURN 0;
  END IF;
  RETURN v_text::double precision;
END $$;

-- What that lacks of a whole number of 64 bits.
CREATE FUNCTION {p}query_rest(value json) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_text text;
  v_nearest double precision;
BEGIN
  IF json_typeof(value) IS DISTINCT FROM 'number' THEN
    RETURN 0;
  END IF;
  v_text := value #>> '{}';
  IF v_text !~ '^-?[0-9]{16,20}$' THEN
    RETURN 0;
  END IF;
  v_nearest := v_text::double precision;
  IF abs(v_nearest) < 9007199254740992 OR abs(v_nearest) > 18446744073709551616 THEN
    RETURN 0;
  ELSIF abs(v_nearest) < 4611686018427387904 THEN
    RETURN v_text::bigint - v_nearest::bigint;
  END IF;
  RETURN v_text::numeric - 4 * (v_nearest / 4)::bigint::numeric;
END $$;
