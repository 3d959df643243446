"""What is said in each transcript of a MariaDB 11: what an older one does not say."""

import struct

from scenes import NEW
from wire import BASE, BULK_UNITS, MARIADB, string

SCENES = {}


def scene(**login):
    """A scene that is played after a login."""

    def add(play):
        SCENES[play.__name__.replace("_", "-")] = (play, login)
        return play

    return add


@scene(schema="shop", capabilities=NEW)
def b1_login_m11(talk, server):
    """Variables are told with the login, and where the server redirects to."""
    talk.query("select database()")
    server.sql("set global redirect_url = 'mysql://elsewhere:3306'")
    talk.query("set sql_mode = 'ansi_quotes'")
    talk.query("set session redirect_url = 'mysql://elsewhere:3306'")
    talk.query("select 1")
    server.sql("set global redirect_url = ''")
    talk.quit()


def cells(*values):
    return b"".join(b"\0" + string(value) for value in values)


@scene(schema="shop", capabilities=BASE | MARIADB | BULK_UNITS)
def b4_bulk_units_m11(talk, _):
    """COM_STMT_BULK_EXECUTE with a result for each row of parameters; RETURNING; one that fails."""
    number = talk.prepare("insert into items (name) values (?)")
    for flags in (128, 128 | 64):
        talk.send((0, b"\xfa" + struct.pack("<IHH", number, flags, 253) + cells("axle", "belt", "cork")))
        talk.results()
    number = talk.prepare("insert into items (name) values (?) returning id, name")
    talk.send((0, b"\xfa" + struct.pack("<IHH", number, 128, 253) + cells("disc", "edge")))
    talk.results()
    number = talk.prepare("insert into items (id) values (?)")
    talk.send((0, b"\xfa" + struct.pack("<IHH", number, 128 | 64, 253) + cells("901", "901", "902")))
    talk.results()
    talk.query("delete from items where id > 3")
    talk.quit()
