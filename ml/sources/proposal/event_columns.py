"""Usual names of the columns of events and of the words in them, beside those of `ml.tables.usual_names`.

Names are compared without case, accents, blanks and punctuation.
"""

from __future__ import annotations

from collections.abc import Mapping

from ml.tables.usual_names import ITEM_TITLES

RATINGS = "rating stars score bewertung note"
ORDERS = "orderid ordernumber order orderno invoiceno invoiceid invoice transactionid transaction receipt"
QUANTITIES = "quantity qty units count menge anzahl quantite cantidad"
# Names in German, French and Spanish by role, as exports of shops have them.
FOREIGN_NAMES: Mapping[str, str] = {
    "time": "zeit zeitpunkt zeitstempel datum uhrzeit bestelldatum dateheure horodatage fecha hora fechahora",
    "user": "kunde kundennr kundennummer kundenid besucher nutzer nutzerid benutzer utilisateur clientid cliente "
    "usuario visiteur visitante nclient noclient numeroclient numclient codeclient acheteur comprador",
    "item": "artikel artikelnr artikelnummer artikelid produkt produktid produit article producto articulo "
    "reference referenceproduit referencearticle codearticle codeproduit referencia codigo",
}
# Names by field. A name of an earlier line is preferred.
EVENT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "event_id": ("eventid eventuuid eventkey messageid insertid", "clickid hitid logid uuid guid id rowid nr"),
    "event_type": (
        "eventtype eventname action activity event",
        "type verb interaction behavior behaviour behaviortype kind activitytype actiontype what",
        "aktion ereignis vorgang evenement typeevenement accion evento tipo",
    ),
    "session_id": ("sessionid session visitid visit ssid sitzung besuch visite sesion",),
    "page_url": ("pageurl url pagelocation location address link href", "page pagepath path seite"),
    "page_title": ("pagetitle",),
    "referrer": (
        "referrer referer pagereferrer refurl ref httpreferrer httpreferer referrerurl refererurl "
        "documentreferrer referringpage",
    ),
    "value": (
        "value eventvalue amount revenue total totalprice lineprice paid amountpaid turnover sales betrag umsatz "
        "montant importe",
        RATINGS,
    ),
    "device_type": (
        "devicetype device devicecategory platform gerat geraet gerattyp geratetyp appareil dispositivo",
        "useragent httpuseragent useragentstring browseragent ua agent",
    ),
    "os": ("os operatingsystem",),
    "browser": ("browser browsername",),
    "language": ("language lang locale sprache langue idioma",),
    "timezone": ("timezone tz",),
    "country": ("country countrycode geocountry land pays pais",),
    "city": ("city geocity town stadt ort ville ciudad",),
}
# Names of columns that describe the item of a row, by field of the catalogue.
ITEM_COLUMNS: Mapping[str, str] = {
    "title": ITEM_TITLES,
    "category": "category itemcategory productcategory v2productcategory section genre categoryname categorycode "
    "department topic kategorie rubrik ressort warengruppe produktgruppe sortiment categorie rayon categoria",
    "tags": "tags keywords genres topics labels schlagworte stichworte etiquetas",
    "price": "price unitprice itemprice listprice sellingprice saleprice preis einzelpreis stuckpreis stueckpreis "
    "verkaufspreis prix prixunitaire precio preciounitario",
}
# Words for what happened, by type of event.
EVENT_WORDS: Mapping[str, str] = {
    "page_view": "view views viewed viewing page pageview pageviews visit read open opened detail productview "
    "productviewed itemview itemviewed contentview viewitem viewproduct viewcontent viewed viewcart cartviewed pv "
    "see seen browse watch watched ansehen ansicht angesehen aufruf vue consultation consulte visto vista visita",
    "click": "click clicks clicked productclicked selectitem tap press klick clic",
    "add_to_cart": "cart basket addtocart addtobasket addcart add tobasket addedtocart addtobag incart "
    "productadded itemadded warenkorb panier ajoutpanier ajoutaupanier carrito anadiralcarrito",
    "remove_from_cart": "removefromcart removefrombasket remove removed removeditem productremoved itemremoved",
    "checkout": "checkout begincheckout startcheckout initiatecheckout initiatedcheckout checkoutstarted kasse",
    "purchase": "purchase purchased buy bought buying sale sold transaction order ordered orderplaced "
    "ordercompleted placedorder productpurchased paid conversion payment kauf gekauft kaufen bestellt bestellung "
    "achat achete commande compra comprado pedido",
    "search": "search searched productssearched viewsearchresults query find suche recherche busqueda",
    "like": "like liked likes love loved heart upvote thumbsup",
    "dislike": "dislike disliked downvote thumbsdown",
    "bookmark": "bookmark bookmarked favorite favourite fav wishlist save saved addtowishlist addedtowishlist "
    "productaddedtowishlist merkliste favori",
    "share": "share shared productshared",
    "comment": "comment commented review reviewed productreviewed reply",
    "follow": "follow followed",
    "rating": "rating rate rated bewertung",
    "signup": "signup signedup register registered registration inscription registro",
    "subscribe": "subscribe subscribed subscription",
    "impression": "impression impressions shown displayed",
    "page_exit": "exit leave left pageexit",
    "scroll": "scroll scrolled",
    "hover": "hover hovered",
    "video_play": "play played videoplay videostart start",
    "form_submit": "submit formsubmit submitted",
    "form_start": "formstart",
}
