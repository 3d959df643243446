#!/usr/bin/env python3
"""Django with django-auditlog: migrations there and back, changes of a schema, and the ORM. django_orm.py '{"engine": …}'"""

import datetime
import json
import sys
import tempfile
import uuid

import django
from django.conf import settings

link = json.loads(sys.argv[1])
database = {"NAME": link["database"], "USER": link["user"], "HOST": link["host"]}
if link["engine"] == "postgres":
    database |= {"ENGINE": "django.db.backends.postgresql"}
else:
    database |= {"ENGINE": "django.db.backends.mysql", "OPTIONS": {"charset": "utf8mb4"}}
settings.configure(
    DATABASES={"default": database},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.messages",
                    "django.contrib.sessions", "django.contrib.sites", "django.contrib.flatpages", "django.contrib.redirects",
                    "auditlog", "shop"],
    MIGRATION_MODULES={"shop": "made.migrations"},
    SILENCED_SYSTEM_CHECKS=["models.W036", "models.W044", "models.W046"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache_rows"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", SECRET_KEY="of this test", USE_TZ=True, SITE_ID=1,
)  # fmt: skip
made = tempfile.TemporaryDirectory()
sys.path.insert(0, made.name)
django.setup()

from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, models, transaction
from django.db.models import Avg, Case, Count, Exists, F, Max, OuterRef, Prefetch, Q, Subquery, Sum, Value, When, Window
from django.db.models.functions import Coalesce, ExtractYear, Lag, Length, Now, Rank, TruncMonth, Upper

from auditlog.context import set_actor
from auditlog.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.backends.db import SessionStore
from shop.models import Customer, Gift, Line, Order, Product, Tag


def main():
    migrations()
    rows()
    queries()
    changes()
    accounts()
    schema()
    call_command("flush", interactive=False, verbosity=0)
    for app in ("auditlog", "flatpages", "redirects", "shop"):
        call_command("migrate", app, "zero", verbosity=0)


def migrations():
    import pathlib

    folder = pathlib.Path(made.name, "made/migrations")
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "__init__.py").touch()
    call_command("makemigrations", "shop", verbosity=0)
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    call_command("inspectdb", stdout=open("/dev/null", "w"))
    call_command("check", database=["default"])


def rows():
    for number in range(6):
        customer = Customer.objects.create(name=f"O'Neil \\ {number} %s", email=f"c{number}@example.com", settings={"a": [1, "ü"]})
    Tag.objects.bulk_create([Tag(word=word) for word in ("red", "blue", "new")])
    Tag.objects.bulk_create([Tag(word="red")], ignore_conflicts=True)
    Product.objects.bulk_create(
        [Product(title=f"thing {n}", price=n, picture=b"\x00'\\\xff", key=uuid.uuid4()) for n in range(8)], batch_size=3
    )
    for product in Product.objects.all():
        product.tags.set(["red", "new"])
    Product.objects.first().tags.remove("red")
    Product.objects.last().tags.clear()
    customer.friends.add(*Customer.objects.all()[:3])
    for customer in Customer.objects.all():
        order = customer.orders.create(lasts=datetime.timedelta(days=2, seconds=3))
        for product in Product.objects.all()[:3]:
            Line.objects.create(order=order, product=product, count=2)
        Gift.objects.create(order=order, product=product, count=1, message="-- ; /* hello */ #")
    existing = Customer(id=customer.id, name="upserted", email=customer.email)
    options = {"update_conflicts": True, "update_fields": ["name"]}
    if link["engine"] == "postgres":
        options["unique_fields"] = ["email"]
    Customer.objects.bulk_create([existing], **options)
    Customer.objects.get_or_create(email="new@example.com", defaults={"name": "new"})
    Customer.objects.update_or_create(email="new@example.com", defaults={"name": "newer"})


def queries():
    seen = [
        Order.objects.select_related("customer", "parent__customer").prefetch_related("line_set__product__tags"),
        Customer.objects.prefetch_related(Prefetch("orders", Order.objects.filter(state="open").order_by("-placed"))),
        Customer.objects.annotate(n=Count("orders", distinct=True), spent=Sum(F("orders__line__count") * F("orders__line__product__price"))).filter(n__gt=0),
        Order.objects.annotate(last=Subquery(Line.objects.filter(order=OuterRef("pk")).order_by("-pk").values("pk")[:1])),
        Customer.objects.filter(Exists(Order.objects.filter(customer=OuterRef("pk"), state__in=["open", "new", "old"]))),
        Customer.objects.exclude(orders__line__product__tags__word="blue").distinct(),
        Product.objects.annotate(place=Window(Rank(), partition_by=F("price"), order_by="title"), before=Window(Lag("price"), order_by="id")),
        Product.objects.annotate(kind=Case(When(price__gt=5, then=Value("dear")), default=Value("cheap"), output_field=models.CharField())).values("kind").annotate(n=Count("*"), m=Avg("price")),
        Order.objects.annotate(month=TruncMonth("placed"), year=ExtractYear("placed")).values("month", "year").annotate(n=Count("id")).order_by("month"),
        Customer.objects.filter(Q(name__icontains="o'n") | Q(name__regex=r"^O.\\") | ~Q(email__endswith="%_x") & Q(settings__a__0=1)),
        Customer.objects.filter(settings__has_key="a").filter(settings__contains={"a": [1]}),
        Customer.objects.annotate(up=Upper("name"), size=Length("name"), kept=Coalesce(Max("orders__placed"), Now())).order_by(F("born").desc(nulls_last=True)),
        Customer.objects.filter(name="a").union(Customer.objects.filter(name="b"), Customer.objects.filter(id=3)).order_by("-name")[:4],
        Customer.objects.filter(id__lt=5).intersection(Customer.objects.all()),
        Customer.objects.filter(id__lt=5).difference(Customer.objects.filter(id=1)),
        Gift.objects.select_related("line_ptr__order").only("message"), Line.objects.filter(gift__message__startswith="-"),
        Product.objects.in_bulk([1, 2, 3]), Order.objects.dates("placed", "month"), Order.objects.datetimes("placed", "day"),
        Customer.objects.raw("SELECT c.*, (SELECT count(*) FROM shop_customer) AS n FROM shop_customer c WHERE name <> %s", ["x;y"]),
        LogEntry.objects.filter(content_type__model="order").select_related("actor", "content_type"), Customer.objects.none(),
        Customer.objects.get(pk=2).friends.filter(name__gt="A").reverse(), Order.objects.filter(customer__in=Customer.objects.filter(name__in=Customer.objects.values("name"))),
        Customer.objects.extra(select={"one": "1"}, where=["name IS NOT NULL"], tables=["shop_tag"]),
        Order.objects.filter(placed__year=2026, placed__date__gt=datetime.date(2020, 1, 1), lasts__gt=datetime.timedelta(hours=1)),
    ]
    for query in seen:
        list(query)
    Customer.objects.aggregate(Max("id"), n=Count("*"))
    Customer.objects.filter(id=1).exists(), Customer.objects.count(), Customer.objects.latest("id")
    print(Customer.objects.filter(id=1).explain(), file=open("/dev/null", "w"))
    list(Customer.objects.order_by("?").iterator(chunk_size=2))
    LogEntry.objects.get_for_object(Order.objects.first()).count()


def changes():
    with transaction.atomic():
        for customer in Customer.objects.select_for_update().filter(id__lt=3):
            customer.name = customer.name[::-1]
            customer.save()
        list(Order.objects.select_for_update(of=("self",) if link["engine"] == "postgres" else (), skip_locked=True).select_related("customer"))
        try:
            with transaction.atomic():
                Customer.objects.create(name="twice", email="c0@example.com")
        except django.db.IntegrityError:
            pass
    Order.objects.filter(customer__name__contains="O").update(state="seen", lasts=F("lasts") + datetime.timedelta(days=1))
    Product.objects.update(price=F("price") * 2)
    Customer.objects.bulk_update([Customer(id=1, name="a", born=None), Customer(id=2, name="b")], ["name", "born"])
    Order.objects.filter(pk__in=Order.objects.filter(customer__id=2).values("pk")).delete()
    Customer.objects.filter(orders__state="seen")[0].delete()
    Order.objects.first().delete()
    Gift.objects.all()._raw_delete("default")
    cache.set("k", "v'", 60), cache.get("k"), cache.incr_version("k"), cache.delete_many(["k", "l"]), cache.clear()


def accounts():
    user = User.objects.create_superuser("root", "r@example.com", "hunter2")
    with set_actor(user):
        Customer.objects.create(name="audited", email="audited@example.com").delete()
    group = Group.objects.create(name="clerks")
    group.permissions.set(Permission.objects.filter(codename__startswith="view"))
    user.groups.add(group)
    user.has_perm("shop.view_order"), User.objects.with_perm("shop.view_order", backend="django.contrib.auth.backends.ModelBackend").count()
    session = SessionStore()
    session["cart"] = [1]
    session.save(), session.cycle_key(), session.flush()
    SessionStore.clear_expired()


def schema():
    """What migrations do to tables that are there."""
    size = models.IntegerField(default=1, db_index=True, db_comment="how 'large'")
    size.set_attributes_from_name("size")
    wide = models.BigIntegerField(null=True, db_index=True)
    wide.set_attributes_from_name("width")
    title = models.CharField(max_length=200, default="", null=False)
    title.set_attributes_from_name("title")
    index = models.Index(fields=["title"], name="by_title") if link["engine"] == "postgres" else models.Index(fields=["key"], name="by_key")
    constraint = models.UniqueConstraint(fields=["key"], name="one_key")
    with connection.schema_editor(atomic=False) as editor:
        editor.add_field(Product, size)
        editor.alter_field(Product, size, wide)
        editor.alter_field(Product, Product._meta.get_field("title"), title)
        editor.add_index(Product, index)
        editor.rename_index(Product, index, models.Index(fields=index.fields, name="renamed"))
        editor.add_constraint(Product, constraint)
        editor.remove_constraint(Product, constraint)
        editor.alter_db_table_comment(Product, "", "things; to sell")
        editor.alter_db_table(Product, "shop_product", "shop_thing")
        editor.alter_db_table(Product, "shop_thing", "shop_product")
        editor.remove_field(Product, wide)


main()
