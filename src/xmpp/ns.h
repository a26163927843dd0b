/*
 * ns.h - the namespaces that we speak, each once.  What the parser knows by
 * itself, such as NS_XML and NS_STREAM, stands in xml/elem.h.
 */
#ifndef XMPP_NS_H
#define XMPP_NS_H

#include "xml/elem.h"

/* RFC 6120 */
#define NS_CLIENT "jabber:client"
#define NS_STREAMS "urn:ietf:params:xml:ns:xmpp-streams"
#define NS_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"
#define NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_BIND "urn:ietf:params:xml:ns:xmpp-bind"

/* RFC 6121 */
#define NS_ROSTER "jabber:iq:roster"
#define NS_SESSION "urn:ietf:params:xml:ns:xmpp-session"
#define NS_FEATURE_ROSTERVER "urn:xmpp:features:rosterver"
#define NS_FEATURE_PREAPPROVAL "urn:xmpp:features:pre-approval"

/* extensions, by their names */
#define NS_BLOCKING "urn:xmpp:blocking"
#define NS_BLOCKING_ERRORS "urn:xmpp:blocking:errors"
#define NS_BYTESTREAMS "http://jabber.org/protocol/bytestreams"
#define NS_CAPS "http://jabber.org/protocol/caps"
#define NS_CARBONS "urn:xmpp:carbons:2"
#define NS_CHANNEL_BINDING "urn:xmpp:sasl-cb:0"
#define NS_CHATSTATES "http://jabber.org/protocol/chatstates"
#define NS_COMPONENT "jabber:component:accept"
#define NS_CONFERENCE "jabber:x:conference"
#define NS_CORRECT "urn:xmpp:message-correct:0"
#define NS_CSI "urn:xmpp:csi:0"
#define NS_DELAY "urn:xmpp:delay"
#define NS_DELEGATION "urn:xmpp:delegation:2"
#define NS_DISCO_INFO "http://jabber.org/protocol/disco#info"
#define NS_DISCO_ITEMS "http://jabber.org/protocol/disco#items"
#define NS_BIDI "urn:xmpp:bidi"
#define NS_FASTEN "urn:xmpp:fasten:0"
#define NS_FEATURE_BIDI "urn:xmpp:features:bidi"
#define NS_FEATURE_DIALBACK "urn:xmpp:features:dialback"
#define NS_FEATURE_REGISTER "http://jabber.org/features/iq-register"
#define NS_FILE_SHARING "urn:xmpp:sfs:0"
#define NS_FORM "jabber:x:data"
#define NS_FORWARD "urn:xmpp:forward:0"
#define NS_HINTS "urn:xmpp:hints"
#define NS_IBB "http://jabber.org/protocol/ibb"
#define NS_JINGLE_MESSAGE "urn:xmpp:jingle-message:0"
#define NS_LAST "jabber:iq:last"
#define NS_FULLTEXT "urn:xmpp:fulltext:0"
#define NS_INBOX "urn:xmpp:inbox:1"
#define NS_INVISIBLE "urn:xmpp:invisible:1"
#define NS_MAM "urn:xmpp:mam:2"
#define NS_MAM_TRIM "urn:xmpp:mamtrim:0"
#define NS_MARKERS "urn:xmpp:chat-markers:0"
#define NS_MUC_USER "http://jabber.org/protocol/muc#user"
#define NS_OCCUPANT_ID "urn:xmpp:occupant-id:0"
#define NS_OOB "jabber:x:oob"
#define NS_ORDER_BY "urn:xmpp:order-by:1"
#define NS_PIE "urn:xmpp:pie:0"
#define NS_PIE_MAM NS_PIE "#mam"
#define NS_PING "urn:xmpp:ping"
#define NS_PRIVATE "jabber:iq:private"
#define NS_PRIVILEGE "urn:xmpp:privilege:2"
#define NS_REACTIONS "urn:xmpp:reactions:0"
#define NS_RECEIPTS "urn:xmpp:receipts"
#define NS_REFERENCE "urn:xmpp:reference:0"
#define NS_REGISTER "jabber:iq:register"
#define NS_REPORTING "urn:xmpp:reporting:1"
#define NS_RETRACT "urn:xmpp:message-retract:1"
#define NS_RSM "http://jabber.org/protocol/rsm"
#define NS_SID "urn:xmpp:sid:0"
#define NS_SM "urn:xmpp:sm:3"
#define NS_STREAM_LIMITS "urn:xmpp:stream-limits:0"
#define NS_TIME "urn:xmpp:time"
#define NS_UPLOAD "urn:xmpp:http:upload:0"
#define NS_UPLOAD_PURPOSE "urn:xmpp:http:upload:purpose:0"
#define NS_URL_DATA "http://jabber.org/protocol/url-data"
#define NS_VALIDATE "http://jabber.org/protocol/xdata-validate"
#define NS_VCARD "vcard-temp"
#define NS_VERSION "jabber:iq:version"

/* ours: what lies in the store */
#define NS_CREDENTIALS "urn:antiphon:credentials:1"
#define NS_SEEN "urn:antiphon:last:1"
#define NS_SESSION_SAVED "urn:antiphon:session"
#define NS_UPLOADED "urn:antiphon:upload:1"

/* ours: what clients may ask */
#define NS_UPLOAD_FILES "urn:antiphon:upload:0"

#endif
