DO RELEASE_LOCK(LEFT(CONCAT('cogency-state ', DATABASE(), ' {p}'), 64))
