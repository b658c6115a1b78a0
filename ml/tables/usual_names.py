"""Usual names of the columns of interactions.

Names are compared without case, accents, blanks and punctuation: `User-ID`, `userId` and `user_id` are one name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["user", "item", "time", "rating", "weight"]

ID_ROLES: tuple[Role, ...] = ("user", "item")
VALUE_ROLES: tuple[Role, ...] = ("time", "rating", "weight")
# Usual names by role. A name of an earlier line is preferred; two names of one line are ambiguous.
USUAL_NAMES: Mapping[Role, tuple[str, ...]] = {
    "user": (
        "userid",
        "user uid customerid custid visitorid fullvisitorid clientid memberid personid reviewerid accountid "
        "profileid playerid readerid subscriberid listenerid shopperid buyerid householdid householdkey cardid "
        "kundennummer kundennr kundenid kundeid nutzerid benutzerid idclient idutilisateur idcliente idusuario "
        "codicecliente idutente codigocliente klantnummer klantid gebruikerid",
        "customer visitor client member person reader viewer listener player shopper buyer reviewer account "
        "profile username login email subscriber "
        "kunde nutzer benutzer utilisateur cliente usuario utente klant gebruiker",
        "anonymousid deviceid cookieid cookie",
        "sessionid session basketid",
    ),
    "item": (
        "itemid",
        "item iid movieid filmid isbn stockcode artistid productid asin sku bookid songid trackid articleid "
        "gameid animeid recipeid postid videoid newsid businessid listingid showid courseid contentid appid adid "
        "pageid storyid podcastid episodeid placeid venueid jobid propertyid hotelid",
        "movie film artist product book song track article story news post game anime recipe video course "
        "parentasin app "
        "artikelnummer artikelnr artikelid artikel produktnummer produktid produkt produit idproduit referencia "
        "producto idproducto articulo codicearticolo articolo codiceprodotto idprodotto prodotto "
        "codigoproduto idproduto produto artigo productnummer",
        "title productname artistname itemname description url",
    ),
    "time": (
        "timestamp",
        "time datetime ts eventtime unixreviewtime unixtime occurredat createdat ratedat invoicedate orderdate "
        "purchasedate ratingtime ratingdate transactiondate tdat",
        "date day reviewtime created when datum bestelldatum kaufdatum zeitpunkt fecha horodatage "
        "dataordine dataacquisto datapedido datacompra besteldatum",
    ),
    "rating": (
        "rating",
        "ratings bookrating userrating stars score overall reviewscore ratingvalue ratingscore grade",
        "bewertung sterne puntuacion valutazione voto avaliacao beoordeling "
        "liked isliked islike thumb thumbs thumbsup vote preference",
    ),
    "weight": (
        "weight",
        "plays playcount quantity qty count counts listens views clicks minutes hours playtime hoursplayed "
        "seconds confidence strength purchases units nplays timesplayed watchtime playduration",
        "menge anzahl stueckzahl stuckzahl quantite cantidad quantita quantidade aantal "
        "click clicked isclick isclicked purchased ispurchased bought isbought ordered interacted",
    ),
}
ENDINGS: Mapping[Role, str] = {  # how longer names end, such as `click_article_id`
    "user": r"(user|customer|visitor|client|member|reviewer)id$",
    "item": r"(item|product|article|movie|film|book|song|track|artist|game|video|sku)(id)?$",
    "time": r"timestamp$",
}

# An id that is none of these names the user or the item beside one whose name is usual.
ANY_ID = re.compile(r"[_\-. ]id$|[a-z](Id|ID)$")
OTHER_IDS = re.compile(
    r"^(order|invoice|transaction|cart|basket|session|visit|event|row|record|log|line|click|impression|request|query|"
    r"message|page|view|review|rating|comment|payment|category|subcategory|department|aisle|genre|tag|brand|store|"
    r"shop|city|country|region|zip|device|campaign|segment|group|cluster|cookie|anonymous)id$"
)
# How a column that says when something happened may end, and how one of another time begins.
EVENT_TIME = re.compile(r"(?i:[_\-. ]at|ed[_\-. ]on|date|datum)$|[a-z]At$|edOn$")
OTHER_TIMES = re.compile(
    r"^(up)?(birth|born|dateof|releas|publi|expir|due|valid|sign|join|regist|start|end|dat|delet|return|deliver|ship|"
    r"last|first|next|geburt|erschein|rueck|ruck)"
)
SCALE = re.compile(r"\(\d+ ?[-–] ?\d+\)$")  # after a name, as in `Rating (1-5)`

# Names of a column that titles the item of a row, in English, German, French and Spanish, the usual ones first.
ITEM_TITLES = (
    "title name itemname itemtitle productname v2productname movietitle booktitle articletitle articlename "
    "headline titel bezeichnung titre titulo description"
)


def normalized(name: str) -> str:
    """A name without case, accents, blanks, punctuation and a scale; only Latin letters and digits are left."""
    return re.sub(r"[^0-9a-z]", "", unicodedata.normalize("NFKD", SCALE.sub("", name)).lower())


def is_usual_name(name: str) -> bool:
    """Whether a cell with this text surely names a column: `id`, or a name of the first two lines of a role."""
    plain = normalized(name)
    return plain == "id" or any(plain in line.split() for lines in USUAL_NAMES.values() for line in lines[:2])
