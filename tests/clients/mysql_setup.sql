-- What the mixes of MySQL's clients work on; each run begins anew.
drop database if exists mix;
create database mix character set utf8mb4;
use mix;
create table items (id int primary key auto_increment, name varchar(40), price decimal(8,2), unique (name));
insert into items (name, price) values ('nut', 0.10), ('bolt', 0.20), ('gear', 12.50);
create table kinds (id int primary key auto_increment, i tinyint, u bigint unsigned, f double, d decimal(20,6), dt datetime(6),
                    da date, ti time(6), s varchar(100), b longblob, bi bit(9), y year);
