"""Names on the wire that mean something to every definition."""

from __future__ import annotations

#: Properties that hold an amount of money; inside they are int64 micros of the configured currency.
MONEY_PROPERTIES = frozenset({"price", "total", "revenue", "value", "subtotal", "discount", "tax", "shipping"})

#: The event whose traits a customer is known by.
IDENTIFY = "Identify"
#: What the types of the Segment specification that carry no event name are called.
NAMES_OF_TYPES = {"page": "Page Viewed", "screen": "Screen Viewed", "identify": IDENTIFY}

#: Something that happened to a product, not to a customer.
PRODUCT_UPDATED = "Product Updated"

#: Event names of the Segment specification, by its chapters, beside those above; a name that is nearly one of them is
#: probably misspelt.
SPECIFIED: dict[str, tuple[str, ...]] = {
    "e-commerce": (
        *("Products Searched", "Product List Viewed", "Product List Filtered", "Promotion Viewed", "Promotion Clicked"),
        *("Product Clicked", "Product Viewed", "Product Added", "Product Removed", "Cart Viewed", "Checkout Started"),
        *("Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered", "Order Completed"),
        *("Order Updated", "Order Refunded", "Order Cancelled", "Coupon Entered", "Coupon Applied", "Coupon Denied"),
        *("Coupon Removed", "Product Added to Wishlist", "Product Removed from Wishlist"),
        *("Wishlist Product Added to Cart", "Product Shared", "Cart Shared", "Product Reviewed"),
    ),
    "video": (
        *("Video Playback Started", "Video Playback Paused", "Video Playback Interrupted", "Video Playback Resumed"),
        *("Video Playback Buffer Started", "Video Playback Buffer Completed", "Video Playback Seek Started"),
        *("Video Playback Seek Completed", "Video Playback Completed", "Video Playback Exited"),
        *("Video Content Started", "Video Content Playing", "Video Content Completed", "Video Ad Started"),
        *("Video Ad Playing", "Video Ad Completed", "Video Quality Updated"),
    ),
    "e-mail": (
        *("Email Delivered", "Email Opened", "Email Link Clicked", "Email Bounced", "Email Marked as Spam"),
        "Unsubscribed",
    ),
    "mobile": (
        *("Application Installed", "Application Opened", "Application Backgrounded", "Application Updated"),
        *("Application Uninstalled", "Application Crashed", "Push Notification Received", "Push Notification Tapped"),
        *("Push Notification Bounced", "Install Attributed", "Deep Link Clicked", "Deep Link Opened"),
    ),
    "accounts": (
        *("Signed Up", "Signed In", "Signed Out", "Invite Sent", "Account Created", "Account Deleted"),
        *("Account Added User", "Account Removed User", "Trial Started", "Trial Ended"),
    ),
    "live chat": (
        *("Live Chat Conversation Started", "Live Chat Conversation Ended"),
        *("Live Chat Message Sent", "Live Chat Message Received"),
    ),
    "experiments": ("Experiment Viewed",),
}
#: All names that are known to mean something.
KNOWN = frozenset(
    {PRODUCT_UPDATED, *NAMES_OF_TYPES.values(), *(name for names in SPECIFIED.values() for name in names)}
)
