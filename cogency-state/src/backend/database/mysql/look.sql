-- Only MariaDB 10.6 or newer reads such a comment. An isolation level is no matter here.
SELECT CAST(0 /*M!100600 + 1 */ AS SIGNED), CAST(1 AS SIGNED)
