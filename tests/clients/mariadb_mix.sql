-- The command line client: text protocol, several results, procedures, transactions, errors, DDL, prepared in SQL.
source tests/clients/mysql_setup.sql
select * from items order by id;
select 'ä', _latin1'x', "double", 'it''s', 'back\\slash';
insert into items (name, price) values ('pin', 1), ('rod', 2);
update items set price = price + 1 where name in ('pin', 'rod');
update items set price = price where name = 'pin';
insert into items (name) values ('nut');
select * from nowhere;
selct 1;
select 1/0, 'a' + 1;
show warnings;
do 1;
-- nothing but a comment
/*!50000 select 'runs' */;
begin;
insert into items (name) values ('tx');
savepoint a;
insert into items (name) values ('ty');
rollback to savepoint a;
release savepoint a;
commit;
start transaction;
delete from items where name = 'tx';
rollback;
begin;
insert into items (name) values ('ddl');
create table made (a int);
drop table made;
set autocommit = 0;
insert into items (name) values ('auto');
set autocommit = 1;
delimiter //
create procedure several(n int) begin select n; select n + 1; insert into items (name) values (concat('p', n)); end //
create procedure fails() begin select 1; select * from nowhere_at_all; end //
create function twice(n int) returns int deterministic return 2 * n //
create trigger t before insert on items for each row set new.price = ifnull(new.price, 9) //
delimiter ;
call several(1);
call fails();
call nobody();
select twice(4);
prepare p from 'select ? + 1 as n';
set @a = 1;
execute p using @a;
execute p using @nothing;
deallocate prepare p;
execute p;
prepare c from 'call several(2)';
execute c;
drop prepare c;
set sql_mode = 'ANSI_QUOTES';
select "name" from "items" where "id" = 1;
set sql_mode = 'NO_BACKSLASH_ESCAPES';
select 'a\';
set sql_mode = default;
set names latin1;
select 'x';
set names utf8mb4;
use mysql;
select database();
use mix;
show tables;
show create table items;
describe items;
analyze table items;
explain select * from items;
check table items;
truncate table kinds;
lock tables items read;
unlock tables;
kill query 4294967295;
create user if not exists mixed@localhost identified by 'very secret';
alter user mixed@localhost identified by 'more secret';
drop user mixed@localhost;
with recursive r as (select 1 as n union all select n + 1 from r where n < 500) select n from r;
select repeat('x', 1000000) as big;
replace into items (id, name) values (1, 'nut');
insert into items (name) select concat('copy', id) from items where id < 3;
delete items from items join (select 2 as two) j on items.id = j.two;
alter table items add column note text;
rename table items to things;
drop table things;
handler nowhere open;
drop database mix;
