SELECT GET_LOCK(LEFT(CONCAT('cogency-state ', DATABASE(), ' {p}'), 64), 60)
