PREPARE by_id (int) AS SELECT * FROM users WHERE id = $1;
PREPARE rename_user (int, text) AS UPDATE users SET name = $2 WHERE id = $1;
DECLARE recent SCROLL CURSOR FOR SELECT * FROM tree;
FETCH recent;
SAVEPOINT before_it;
