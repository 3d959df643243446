"""A small shop: each kind of relation, of field and of constraint that Django makes SQL for."""

from auditlog.registry import auditlog
from django.db import models
from django.db.models.functions import Lower


class Customer(models.Model):
    name = models.CharField(max_length=80)
    email = models.EmailField(unique=True)
    born = models.DateField(null=True)
    settings = models.JSONField(default=dict)
    friends = models.ManyToManyField("self")


class Tag(models.Model):
    word = models.SlugField(primary_key=True)


class Product(models.Model):
    title = models.TextField()
    price = models.DecimalField(max_digits=9, decimal_places=2)
    tags = models.ManyToManyField(Tag)
    picture = models.BinaryField(null=True)
    key = models.UUIDField(null=True)

    class Meta:
        indexes = [models.Index(fields=["-price"], name="by_price")]
        constraints = [models.CheckConstraint(condition=models.Q(price__gte=0), name="no_gift")]


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    parent = models.ForeignKey("self", models.SET_NULL, null=True)
    state = models.CharField(max_length=12, default="open", db_index=True)
    placed = models.DateTimeField(auto_now_add=True)
    lasts = models.DurationField(null=True)

    class Meta:
        db_table = "order"
        constraints = [models.UniqueConstraint("customer", Lower("state"), "placed", name="once")]


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE)
    product = models.ForeignKey(Product, models.PROTECT)
    count = models.PositiveIntegerField()


class Gift(Line):
    message = models.CharField(max_length=200)


for model in (Customer, Product, Order, Gift):
    auditlog.register(model)
auditlog.register(Line, m2m_fields=set())
