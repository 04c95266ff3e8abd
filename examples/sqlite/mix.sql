-- Transactions of every kind on a database in a file; nothing random, so that two runs write the same bytes.
PRAGMA page_size = 1024;
PRAGMA cache_size = 50;
CREATE TABLE account (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL, note TEXT);
CREATE TABLE transfer (id INTEGER PRIMARY KEY, source INTEGER REFERENCES account, target INTEGER REFERENCES account, amount INTEGER);
CREATE INDEX owner ON account (owner);
CREATE INDEX amount ON transfer (amount, source);
CREATE TRIGGER moved AFTER INSERT ON transfer BEGIN
  UPDATE account SET balance = balance - new.amount WHERE id = new.source;
  UPDATE account SET balance = balance + new.amount WHERE id = new.target;
END;

BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
INSERT INTO account SELECT i, printf('owner %05d', (i * 7919) % 4001), 1000, hex(i * 2654435761 % 4294967296) FROM n;
COMMIT;
SELECT count(*), sum(balance), min(owner), max(note) FROM account;

BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
INSERT INTO transfer SELECT i, 1 + i * 31 % 4000, 1 + i * 37 % 4000, i % 97 FROM n;
COMMIT;
SELECT sum(balance), min(balance), max(balance) FROM account;

BEGIN;
UPDATE account SET note = note || upper(substr(owner, -3)) WHERE id % 3 = 0;
SAVEPOINT inner;
DELETE FROM account WHERE id % 2 = 0;
SELECT count(*) FROM account;
ROLLBACK TO inner;
DELETE FROM transfer WHERE amount < 10;
COMMIT;
SELECT count(*), total(amount) FROM transfer;

BEGIN;
DELETE FROM account;
ROLLBACK;
SELECT a.owner, count(*), sum(t.amount), round(avg(t.amount), 6) FROM account a JOIN transfer t ON t.source = a.id
GROUP BY a.owner ORDER BY 3 DESC, 1 LIMIT 10;
SELECT source, amount, rank() OVER (PARTITION BY source % 5 ORDER BY amount DESC, id) r FROM transfer ORDER BY r, source LIMIT 10;

CREATE TABLE copy AS SELECT * FROM account ORDER BY owner DESC;
CREATE UNIQUE INDEX copied ON copy (owner, id);
VACUUM;
PRAGMA integrity_check;
