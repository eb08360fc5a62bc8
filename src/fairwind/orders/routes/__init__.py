"""Orders over HTTP."""

from fairwind.orders.routes import after_sales, orders, shop

HANDLERS = (*orders.HANDLERS, *after_sales.HANDLERS, *shop.HANDLERS)
