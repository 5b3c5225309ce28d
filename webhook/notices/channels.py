"""How a notice leaves: SMTP with STARTTLS, and the robots of WeCom and DingTalk groups. Each raises outgoing.Failed.

WeCom (developer.work.weixin.qq.com, 群机器人): POST {msgtype: text, text: {content}}, at most 2048 bytes, 20 a
minute. DingTalk (open.dingtalk.com, custom robots): the same shape and rate; where the robot asks for signatures (加签)
the address gets ``timestamp`` (ms) and ``sign`` = base64(HMAC-SHA256(secret, timestamp "\\n" secret)). Both answer HTTP
200 with ``errcode``: 0 is success, everything else is none. The address of a robot holds its key, so it is a secret
file, and in no message.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import smtplib
import ssl
import time
import urllib.parse
from email.message import EmailMessage

from ansible_collections.suanwang.brain.plugins.module_utils.errors import BrainError

from .. import outgoing
from ..outgoing import Failed
from . import texts

WITHIN_S = 15
MAIL = "mail"
ROBOT_BYTES = 2000


def send(settings, notice):
    """Send a Notice row through its channel; raise Failed."""
    try:
        if notice.channel == MAIL:
            _mail(settings, notice)
            return
        robot = next((one for one in settings.file.notices.robots if one.name == notice.channel), None)
        if robot is None:
            raise Failed(f"webhook.yml names no robot {notice.channel} any more", final=True)
        _robot(settings, robot, texts.body(notice.event, notice.params))
    except BrainError as error:  # a secret that is not there
        raise Failed(error.message) from error


# -- mail ------------------------------------------------------------------------------------------------
def _mail(settings, notice):
    mail = settings.file.notices.mail
    if mail is None:
        raise Failed("webhook.yml names no mail server any more", final=True)
    message = EmailMessage()
    message["From"], message["To"] = mail.sender, notice.recipient
    message["Subject"] = texts.subject(notice.event, notice.params)
    # The same for each try: where a try was sent and its answer lost, the reader's program shows one.
    message["Message-ID"] = f"<{notice.id}@{mail.sender.partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(texts.body(notice.event, notice.params))
    password = settings.secret(mail.credential) if mail.credential else None
    try:
        with smtplib.SMTP(mail.host, mail.port, timeout=WITHIN_S) as server:
            if mail.starttls:
                cafile = str(settings.config / mail.ca_bundle) if mail.ca_bundle else None
                server.starttls(context=ssl.create_default_context(cafile=cafile))
            if password is not None:
                server.login(mail.user, password)
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        raise Failed(f"the mail server refuses the recipient with {code}", final=500 <= code < 600) from error
    except smtplib.SMTPResponseException as error:
        raise Failed(f"the mail server answered {error.smtp_code}") from error
    except ssl.SSLCertVerificationError as error:
        raise Failed(f"the certificate of {mail.host} is not trusted: {error.verify_message}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise Failed(f"the mail server {mail.host} does not answer as it should: {type(error).__name__}") from error


# -- robots ----------------------------------------------------------------------------------------------
def _robot(settings, robot, text):
    url = settings.secret(robot.credential).strip()
    if robot.kind == "dingtalk" and robot.sign:
        url = signed(url, settings.secret(robot.sign).strip(), int(time.time() * 1000))
    status, answer = outgoing.request(
        "POST", url, headers={"Content-Type": "application/json; charset=utf-8"},
        body=json.dumps({"msgtype": "text", "text": {"content": cut(text)}}, ensure_ascii=False).encode(),
        within_s=WITHIN_S, ca_bundle=str(settings.config / robot.ca_bundle) if robot.ca_bundle else None,
    )  # fmt: skip
    if status != 200:
        raise Failed(f"the robot {robot.name} answered HTTP {status}")
    try:
        code = json.loads(answer)["errcode"]
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"the robot {robot.name} answered without errcode") from error
    if code != 0:
        raise Failed(f"the robot {robot.name} answered errcode {texts.clean(code, 20)}")


def signed(url, secret, at_ms):
    """Return the address of a DingTalk robot with time and signature. at_ms: milliseconds since 1970."""
    mac = hmac.new(secret.encode(), f"{at_ms}\n{secret}".encode(), hashlib.sha256).digest()
    query = urllib.parse.urlencode({"timestamp": at_ms, "sign": base64.b64encode(mac).decode("ascii")})
    return f"{url}{'&' if '?' in url else '?'}{query}"


def cut(text):
    """Return text of at most ROBOT_BYTES bytes of UTF-8, whole characters."""
    data = text.encode()
    return text if len(data) <= ROBOT_BYTES else data[: ROBOT_BYTES - 3].decode(errors="ignore") + "…"
