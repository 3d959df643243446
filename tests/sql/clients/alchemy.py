#!/usr/bin/env python3
"""SQLAlchemy: create_all, reflection, Core and ORM. alchemy.py '{"engine": …}'"""

import datetime
import decimal
import json
import sys

import sqlalchemy as sa
from sqlalchemy import URL, create_engine, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, joinedload, mapped_column, relationship, selectinload, subqueryload

link = json.loads(sys.argv[1])
POSTGRES = link["engine"] == "postgres"


class Base(DeclarativeBase):
    pass


tagged = sa.Table(
    "tagged", Base.metadata,
    sa.Column("track_id", sa.ForeignKey("track.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag_id", sa.ForeignKey("tag.id"), primary_key=True),
)  # fmt: skip


class Artist(Base):
    __tablename__ = "artist"
    __table_args__ = (sa.Index("artist_lower", func.lower("name")) if POSTGRES else sa.Index("artist_name", "name"), {"comment": "who 'plays'; all"})
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80), unique=True)
    kind: Mapped[str] = mapped_column(sa.Enum("band", "solo", name="artist_kind"), server_default="band")
    about: Mapped[dict | None] = mapped_column(sa.JSON)
    tracks: Mapped[list["Track"]] = relationship(back_populates="artist", cascade="all, delete-orphan")


class Track(Base):
    __tablename__ = "track"
    __table_args__ = (sa.CheckConstraint("seconds > 0", name="has_length"), sa.UniqueConstraint("artist_id", "title"))
    id: Mapped[int] = mapped_column(sa.Identity() if POSTGRES else sa.Integer(), primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(120), index=True)
    artist_id: Mapped[int] = mapped_column(sa.ForeignKey("artist.id"))
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("track.id"))
    seconds: Mapped[int] = mapped_column(default=1, comment="its length")
    price: Mapped[decimal.Decimal | None] = mapped_column(sa.Numeric(8, 2))
    made: Mapped[datetime.datetime] = mapped_column(server_default=func.now())
    artist: Mapped[Artist] = relationship(back_populates="tracks")
    tags: Mapped[list["Tag"]] = relationship(secondary=tagged)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column("select", sa.String(20))


class Person(Base):
    """Joined inheritance, names that need quotes."""

    __tablename__ = "Order"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(10))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}


class Singer(Person):
    __tablename__ = "group"
    id: Mapped[int] = mapped_column(sa.ForeignKey("Order.id"), primary_key=True)
    voice: Mapped[str] = mapped_column("Voice %", sa.Text)
    __mapper_args__ = {"polymorphic_identity": "singer"}


def main():
    if POSTGRES:
        engines = [URL.create("postgresql+psycopg", link["user"], query={"host": link["host"]}, database=link["database"])]
    else:
        engines = [
            URL.create(driver, link["user"], database=link["database"], query={"unix_socket": link["host"], "charset": "utf8mb4"})
            for driver in ("mysql+pymysql", "mysql+mysqldb")
        ]
    for url in engines:
        engine = create_engine(url, isolation_level="READ COMMITTED")
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            rows(session)
            queries(session)
            changes(session)
        core(engine)
        reflection(engine)
        Base.metadata.drop_all(engine)
        engine.dispose()


def rows(session):
    tags = [Tag(word=word) for word in ("a", "b", "it's")]
    for number in range(5):
        artist = Artist(name=f"artist \\ {number} ' %", about={"k": [1, None]})
        artist.tracks = [Track(title=f"t{n}", seconds=n + 1, tags=tags[: n + 1], price=decimal.Decimal("1.50")) for n in range(3)]
        session.add(artist)
    session.add_all([Singer(voice="low; -- high"), Person(), Singer(voice="alto")])
    session.flush()
    with session.begin_nested():
        session.add(Artist(name="nested"))
    try:
        with session.begin_nested():
            session.add(Artist(name="nested"))
    except sa.exc.IntegrityError:
        pass
    session.commit()


def queries(session):
    longest = select(Track.artist_id, func.max(Track.seconds).label("most")).group_by(Track.artist_id).cte("longest")
    chain = select(Track.id, Track.parent_id).where(Track.parent_id.is_(None)).cte("chain", recursive=True)
    chain = chain.union_all(select(Track.id, Track.parent_id).join(chain, Track.parent_id == chain.c.id))
    other = aliased(Track)
    statements = [
        select(Artist).options(joinedload(Artist.tracks).joinedload(Track.tags)),
        select(Artist).options(selectinload(Artist.tracks).selectinload(Track.tags)),
        select(Artist).options(subqueryload(Artist.tracks)).order_by(Artist.name).limit(2).offset(1),
        select(Track).join(Track.artist).where(Artist.name.ilike("%a%"), Track.title.in_(["t0", "t1"])).with_for_update(),
        select(Artist, longest.c.most).join(longest, longest.c.artist_id == Artist.id),
        select(chain.c.id), select(Track, other).join(other, Track.parent_id == other.id, isouter=True),
        select(func.rank().over(partition_by=Track.artist_id, order_by=Track.seconds.desc()), Track.title),
        select(sa.case((Track.seconds > 2, "long"), else_="short").label("how"), func.count()).group_by("how").having(func.count() > 1),
        select(Artist.name).union_all(select(Tag.word)).order_by("name"),
        select(Artist).where(Artist.tracks.any(Track.tags.any(Tag.word == "it's"))),
        select(Artist).where(~sa.exists().where(Track.artist_id == Artist.id)),
        select(Track).where(sa.tuple_(Track.id, Track.seconds).in_([(1, 1), (2, 2)])), select(Person), select(Singer),
        select(sa.cast(Track.seconds, sa.String(10)), sa.extract("year", Track.made), sa.literal("x;'\\")),
        select(Track.id).where(Track.artist_id == select(func.max(Artist.id)).scalar_subquery()),
        select(sa.orm.with_polymorphic(Person, "*")), select(Artist.about["k"]), select(Track).distinct(),
        select(sa.values(sa.column("n", sa.Integer), name="v").data([(1,), (2,)])) if POSTGRES else select(1),
        select(Artist.name, select(Track.title).where(Track.artist_id == Artist.id).limit(1).lateral("l").c.title) if POSTGRES else select(2),
        select(func.generate_series(1, 3).table_valued("n").render_derived()) if POSTGRES else select(func.match(Artist.name) if False else sa.literal(3)),
        select(Artist).from_statement(text("SELECT * FROM artist -- a remark; of mine\n WHERE name > :n").bindparams(n="a")),
    ]
    for statement in statements:
        result = session.execute(statement)
        (result.unique() if statement is statements[0] else result).all()
    artist = session.get(Artist, 1)
    session.refresh(artist, with_for_update={"read": True})
    session.expire_all()
    [track.tags for track in artist.tracks]
    session.rollback()


def changes(session):
    artist = session.get(Artist, 1)
    artist.name, artist.tracks[0].tags = "renamed", []
    session.commit()
    session.execute(sa.update(Track).where(Track.artist_id.in_(select(Artist.id).where(Artist.kind == "band"))).values(seconds=Track.seconds + 1))
    session.execute(sa.update(Track).where(Track.artist_id == Artist.id, Artist.name == "renamed").values(price=2))
    session.execute(sa.delete(Track).where(Track.artist_id == Artist.id, Artist.name == "nested").execution_options(synchronize_session=False))
    session.execute(sa.insert(Artist).from_select(["name"], select(func.concat("copy of ", Tag.word))))
    session.execute(sa.insert(Tag), [{"word": str(n)} for n in range(4)])
    session.execute(sa.update(Tag), [{"id": 1, "word": "one"}, {"id": 2, "word": "two"}])
    session.delete(session.get(Artist, 2))
    session.commit()
    session.execute(sa.delete(tagged))
    session.rollback()


def core(engine):
    if POSTGRES:
        from sqlalchemy.dialects.postgresql import insert

        upsert = insert(Artist).values(name="renamed", kind="solo")
        upsert = upsert.on_conflict_do_update(index_elements=["name"], set_={"kind": upsert.excluded.kind}).returning(Artist.id)
    else:
        from sqlalchemy.dialects.mysql import insert

        upsert = insert(Artist).values(name="renamed", kind="solo")
        upsert = upsert.on_duplicate_key_update(kind=upsert.inserted.kind)
    with engine.begin() as connection:
        connection.execute(upsert)
        copied = sa.Table("copied", sa.MetaData(), sa.Column("n", sa.Integer, sa.Sequence("copied_n")), sa.Column("t", sa.LargeBinary), prefixes=["TEMPORARY"])
        copied.create(connection)
        connection.execute(copied.insert().returning(copied.c.n), {"t": b"\x00'\\\xff"})
        copied.drop(connection)
        if POSTGRES:
            gone = sa.delete(Track).where(Track.seconds > 100).returning(Track.id).cte("gone")
            connection.execute(select(func.count()).select_from(gone))
    with engine.connect() as connection:
        connection.execute(text("SELECT 1 AS one, 'not :' AS two"))
        connection.rollback()
        connection.begin_twophase().rollback() if not POSTGRES else None


def reflection(engine):
    with engine.begin() as connection:
        connection.execute(text("CREATE VIEW loud AS SELECT t.id, a.name FROM track t JOIN artist a ON a.id = t.artist_id"))
    metadata = sa.MetaData()
    metadata.reflect(engine, views=True)
    assert {"artist", "track", "loud"} <= set(metadata.tables), metadata.tables
    inspector = sa.inspect(engine)
    for name in inspector.get_table_names():
        inspector.get_columns(name), inspector.get_indexes(name), inspector.get_foreign_keys(name), inspector.get_check_constraints(name)
        inspector.get_table_comment(name), inspector.get_unique_constraints(name), inspector.get_pk_constraint(name)
    inspector.get_view_definition("loud"), inspector.get_schema_names(), inspector.get_sequence_names(), inspector.get_temp_table_names
    inspector.get_multi_columns(), inspector.has_table("artist")
    with engine.begin() as connection:
        connection.execute(text("DROP VIEW loud"))


main()
